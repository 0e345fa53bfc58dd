"""`orch diff`."""

from __future__ import annotations

import json

import click

from orchestrator.app.opened import open_workspace
from orchestrator.app.planning import default_platform
from orchestrator.cli.options import platform_option
from orchestrator.cli.output import Session, say
from orchestrator.errors import ExitCode
from orchestrator.model import Platform


@click.command()
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@platform_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    help="How data is printed; markdown is fit for a comment on a pull request.",
)
@click.pass_obj
def diff(session: Session, /, old: str, new: str, platform: str | None, format_: str) -> int:
    """Show what differs between A and B: two revisions, or two images.

    \b
    Examples:
      orch diff main HEAD                          packages that moved, image by image
      orch diff registry.example.com/team/api:1 api   what is published, and what is built here
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.app.differing import compare  # noqa: PLC0415 - slow to import, and so on
    from orchestrator.report import differences as shown  # noqa: PLC0415

    opened = open_workspace(session.directory)
    wanted = Platform.parse(platform) if platform else default_platform(opened)
    found = compare(opened, old, new, wanted)
    if format_ == "json":
        click.echo(json.dumps(shown.difference_document(found), indent=2))
    elif format_ == "markdown":
        click.echo(shown.difference_markdown(found), nl=False)
    else:
        for line in shown.difference_lines(found):
            say(line)
    if found.is_empty:
        session.note("nothing differs")
    return ExitCode.DONE
