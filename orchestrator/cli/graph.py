"""`orch graph`: the tiers."""

from __future__ import annotations

import click

from orchestrator.app.opened import open_workspace
from orchestrator.cli.output import Session
from orchestrator.errors import ExitCode
from orchestrator.report.pictures import GRAPH_FORMATS


@click.command()
@click.option(
    "--format",
    "format_",
    type=click.Choice(sorted(GRAPH_FORMATS)),
    default="tree",
    help="How the graph is drawn.",
)
@click.pass_obj
def graph(session: Session, format_: str) -> int:
    """Show what stands on what, tier by tier.

    \b
    Examples:
      orch graph                                 a tree in the terminal
      orch graph --format dot | dot -Tsvg        a picture, with Graphviz
      orch graph --format mermaid                for Markdown
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    opened = open_workspace(session.directory)
    click.echo(GRAPH_FORMATS[format_](opened.graph))
    return ExitCode.DONE
