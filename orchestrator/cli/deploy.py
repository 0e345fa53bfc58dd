"""`orch deploy`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.app.opened import open_workspace
from orchestrator.cli.options import format_option
from orchestrator.cli.output import Session, print_error, say
from orchestrator.errors import ExitCode

if TYPE_CHECKING:
    from orchestrator.deployments.outcomes import DeployRun

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("files", nargs=-1, type=_FILE, metavar="[FILE]...")
@click.option(
    "--tag",
    default="",
    metavar="TEMPLATE",
    help="Deploy what this tag names, instead of the tag that a file has.",
)
@click.option(
    "--registry",
    default="",
    metavar="HOST/PREFIX",
    help="Deploy from there instead of from where the settings say.",
)
@click.option(
    "--pushed",
    type=_FILE,
    metavar="REPORT",
    help="Take digests from the report of a push; ask no registry.",
)
@click.option("--check", is_flag=True, help="Write nothing; end with 1 if a file would change.")
@click.option("--dry-run", is_flag=True, help="Show the changes as a diff and write nothing.")
@format_option
@click.pass_obj
def deploy(
    session: Session,
    /,
    *,
    files: tuple[Path, ...],
    check: bool,
    dry_run: bool,
    format_: str,
    **options: Any,
) -> int:
    """Name images by digest in Kubernetes, Kustomize, Helm values and Compose files.

    \b
    Examples:
      orch deploy deploy/*.yaml --dry-run       what would change, as a diff
      orch deploy --tag '{version}'             the files of the settings, another version
      orch deploy --check                       for CI: has somebody written a tag alone?
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.app import deploying  # noqa: PLC0415 - slow to import, and so on
    from orchestrator.app.digests import DigestSource  # noqa: PLC0415
    from orchestrator.report import deployments as shown  # noqa: PLC0415

    if options["pushed"] and options["registry"]:
        raise click.UsageError("--pushed says where images are: --registry does not go with it")
    opened = open_workspace(session.directory)
    if options["pushed"]:
        options["pushed"] = session.directory / options["pushed"]
    wanted = deploying.DeployOptions(files, DigestSource(**options))
    run = deploying.deploy(opened, session.directory, wanted)
    is_written = run.ok and not check and not dry_run
    if is_written:
        deploying.write_deployments(run)
    if format_ == "json":
        click.echo(json.dumps(shown.deploy_document(run, is_written=is_written), indent=2))
    elif dry_run:
        click.echo("".join(file.diff() for file in run.rewritten), nl=False)
    else:
        for line in shown.deploy_lines(run):
            say(line)
    _tell(session, run)
    session.note(shown.deploy_summary(run, is_written=is_written))
    return ExitCode.FAILED if not run.ok or (check and run.rewritten) else ExitCode.DONE


def _tell(session: Session, run: DeployRun) -> None:
    from orchestrator.report.deployments import left_lines  # noqa: PLC0415 - as above

    for note in run.notes:
        session.warn(note)
    for line in left_lines(run):
        session.note(line)
    for item in run.images:
        if item.error:
            print_error(item.error)
