"""`orch wheels`: every wheel of the lock, fetched or built; what is kept of them."""

from __future__ import annotations

import json
from typing import Any

import click
from packaging.utils import canonicalize_name

from orchestrator.app.opened import open_workspace
from orchestrator.app.planning import default_platform
from orchestrator.cli.kept import gc, list_, why
from orchestrator.cli.options import format_option, offline_option, platform_option
from orchestrator.cli.output import Session, print_error, say
from orchestrator.cli.sharing import pull, push
from orchestrator.errors import ExitCode
from orchestrator.model import Platform

_STEPS = 10


@click.group(invoke_without_command=True)
@platform_option
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="How many are fetched at once.",
)
@click.option(
    "--rebuild",
    metavar="NAME",
    multiple=True,
    help="Build this project's wheel anew and record it in the lock.",
)
@click.option(
    "--build-in",
    type=click.Choice(["auto", "host", "container"]),
    default="auto",
    show_default=True,
    help="Where to build: on this machine where that will do, there only, or in containers only.",
)
@offline_option
@click.option("--dry-run", is_flag=True, help="Say what would be done; do nothing.")
@format_option
@click.pass_context
def wheels(context: click.Context, /, **values: Any) -> int:
    """Fetch every wheel that the lock names, and build those that no index has.

    \b
    Examples:
      orch wheels                        fetch and build
      orch wheels --rebuild webrtcvad    build it again, and record what it gives
      orch wheels list                   what is kept on this machine
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    if context.invoked_subcommand is not None:
        return ExitCode.DONE
    return _gather(context.obj, values)


def _gather(session: Session, values: dict[str, Any]) -> int:
    from orchestrator.app.wheels import Said, WheelOptions, gather_wheels  # noqa: PLC0415 - slow
    from orchestrator.report.sharing import (  # noqa: PLC0415 - likewise
        moved_document,
        moved_lines,
        moved_summary,
    )
    from orchestrator.wheelhouse.places import BuildIn  # noqa: PLC0415 - likewise

    opened = open_workspace(session.directory)
    options = WheelOptions(
        Platform.parse(values["platform"]) if values["platform"] else default_platform(opened),
        values["jobs"],
        values["offline"],
        values["dry_run"],
        tuple(str(canonicalize_name(name)) for name in values["rebuild"]),
        BuildIn(values["build_in"]),
    )
    gathered = gather_wheels(opened, options, Said(session.note, _count(session)))
    if values["format_"] == "json":
        document = moved_document(
            "", gathered.moved, gathered.warnings, (), dry_run=options.dry_run
        )
        changed = {"schema": "orch.wheels/1", "changes": list(gathered.changes)}
        del document["unbuilt"]
        click.echo(json.dumps(document | changed, indent=2))
    else:
        for line in moved_lines([item for item in gathered.moved if item.error is None]):
            say(line)
    for item in gathered.failed:
        if item.error is not None:
            print_error(item.error)
    for warning in (*gathered.warnings, *_changed(gathered.changes)):
        session.warn(warning)
    session.note(("would be: " if options.dry_run else "") + moved_summary(gathered.moved))
    return max((item.error.exit_code for item in gathered.failed if item.error), default=0)


def _changed(changes: tuple[str, ...]) -> list[str]:
    return [f"orch.lock changed, review it: {line}" for line in changes]


def _count(session: Session) -> Any:
    """Return what tells a person how far the wheels are: a line each tenth of many."""

    def settled(done: int, total: int) -> None:
        if total >= _STEPS and done * _STEPS // total > (done - 1) * _STEPS // total:
            session.note(f"{done} of {total} wheels are here")

    return settled


for _command in (list_, why, gc, push, pull):
    wheels.add_command(_command)
