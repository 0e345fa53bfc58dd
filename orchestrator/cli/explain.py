"""`orch explain` and `orch affected`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from orchestrator.app.explaining import affected as find_affected
from orchestrator.app.explaining import chain_of
from orchestrator.app.opened import open_workspace
from orchestrator.app.planning import BuildOptions, default_platform, plan
from orchestrator.cli.options import complete_images, format_option, platform_option
from orchestrator.cli.output import Session, say
from orchestrator.errors import ExitCode
from orchestrator.model import Platform
from orchestrator.report.documents import affected_document, explain_document
from orchestrator.report.text import explain_lines
from orchestrator.select import Selection


@click.command()
@click.argument("image", shell_complete=complete_images)
@platform_option
@format_option
@click.pass_obj
def explain(session: Session, /, image: str, platform: str | None, format_: str) -> int:
    """Say why IMAGE would be built: each input that changed, old and new.

    Lines begin with + for what came, - for what went and ~ for what changed. What it stands on
    is explained too, where the change lies there.

    \b
    Examples:
      orch explain webhook
      orch explain webhook --format json
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    opened = open_workspace(session.directory)
    wanted = Platform.parse(platform) if platform else default_platform(opened)
    planned = plan(opened, BuildOptions(wanted, Selection(names=(image,))))
    for note in planned.notes:
        session.warn(note)
    steps = [step for name in planned.wanted for step in chain_of(planned, name)]
    if format_ == "json":
        click.echo(json.dumps(explain_document(steps), indent=2))
    else:
        say("\n".join(explain_lines(steps)))
    return ExitCode.DONE


@click.command()
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH..."
)
@format_option
@click.pass_obj
def affected(session: Session, /, paths: tuple[Path, ...], format_: str) -> int:
    """List the images that files reach, one a line; the files need not exist any more.

    \b
    Examples:
      orch affected constraints.txt services/webhook/app/main.py
      git diff --name-only main | xargs orch affected
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    opened = open_workspace(session.directory)
    names = find_affected(opened, [session.directory / path for path in paths], session.warn)
    if format_ == "json":
        click.echo(json.dumps(affected_document(opened.graph, names), indent=2))
    else:
        for name in names:
            click.echo(name)
    return ExitCode.DONE
