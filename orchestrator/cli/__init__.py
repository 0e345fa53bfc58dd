"""The command line: parse, call app, print. One module a group of verbs."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from orchestrator import __version__, logs
from orchestrator.cli.output import Session, print_error, print_usage_error
from orchestrator.errors import ExitCode, OrchError, disk_error

_VERBS = {
    "build": "build",
    "plan": "plan",
    "explain": "explain",
    "affected": "explain",
    "graph": "graph",
    "init": "init",
    "new": "new",
    "bake": "bake",
    "lock": "lock",
    "wheels": "wheels",
    "push": "push",
    "sbom": "sbom",
    "verify": "verify",
    "check": "check",
    "ci": "ci",
    "deploy": "deploy",
    "diff": "diff",
    "history": "history",
    "fsck": "fsck",
    "report": "report",
    "gc": "free",
    "doctor": "doctor",
    "completion": "completion",
}


_STANDARD_ERROR = 2


class _Verbs(click.Group):
    """Imports a verb's module when the verb is used: starting must stay fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_VERBS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"orchestrator.cli.{_VERBS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.command(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-C",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Run as if started in DIR.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log what is being done.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option(
    "--log-format",
    type=click.Choice(["auto", "console", "json"]),
    default="auto",
    help="How log lines look; auto is json in CI.",
)
@click.version_option(__version__, prog_name="orch")
@click.pass_context
def orch(
    context: click.Context,
    directory: Path,
    verbose: bool,  # noqa: FBT001 - a flag of the command line
    quiet: bool,  # noqa: FBT001 - a flag of the command line
    log_format: str,
) -> None:
    """Build the tiers of a monorepo's container images.

    \b
    Examples:
      orch graph            show what stands on what
      orch lock             pin every package
      orch build            bring every image up to date
      orch build python-web bring one image, and what it stands on, up to date
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    logs.begin_run()
    if verbose or log_format != "auto":
        logs.configure(log_format)
    context.obj = Session(directory, verbose=verbose, quiet=quiet, log_format=log_format)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code; SIGTERM counts as Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    gc.set_threshold(100_000)  # values make no circles: looking for them is a tenth of a long plan
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except OSError as error:
        with contextlib.suppress(OSError):
            if not isinstance(error, BrokenPipeError):
                print_error(disk_error(error))
        _give_up_streams()
        sys.exit(ExitCode.FAILED)
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    try:
        _fill_streams()
        code: Any = orch.main(args=arguments, prog_name="orch", standalone_mode=False)
    except OrchError as error:
        print_error(error)
        return error.exit_code
    except click.ClickException as error:
        print_usage_error(error)
        return ExitCode.WRONG_REQUEST
    except (click.Abort, KeyboardInterrupt):  # click turns the one into the other
        print_error(OrchError("interrupted"))
        return ExitCode.INTERRUPTED
    return code if isinstance(code, int) else ExitCode.DONE


def _fill_streams() -> None:
    """Let what is written to a closed stream go nowhere, and not into the next file opened."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - the name says what
    os.close(descriptor)
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _give_up_streams() -> None:
    """Let what streams still hold go nowhere: flushing it at the end would fail once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # a stream of a program that calls this may have none
            if stream.fileno() <= _STANDARD_ERROR:
                os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
