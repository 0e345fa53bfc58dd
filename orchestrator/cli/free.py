"""`orch gc`: room on this machine's disk, from what nobody uses any more."""

from __future__ import annotations

import json

import click

from orchestrator.app.opened import open_workspace
from orchestrator.cli.options import format_option, parse_age, parse_size
from orchestrator.cli.output import Session, say
from orchestrator.errors import ExitCode


@click.command()
@click.option(
    "--older-than",
    callback=parse_age,
    metavar="AGE",
    help="Of the cache and the logs, what nobody used since: 30d.",
)
@click.option(
    "--max-size",
    callback=parse_size,
    metavar="SIZE",
    help="Of the cache the longest unused, until no more is left: 20GB.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go; remove nothing.")
@format_option
@click.pass_obj
def gc(
    session: Session,
    older_than: float | None,
    max_size: int | None,
    dry_run: bool,  # noqa: FBT001 - a flag of the command line
    format_: str,
) -> int:
    """Free space: blobs of replaced images, old logs, what nobody used of the cache.

    What the lock names and what images are made of stays. Where a build is at work nothing goes.

    \b
    Examples:
      orch gc --dry-run                 what would go, and how much
      orch gc                           as [gc] of the settings says, else after 30 days
      orch gc --older-than 7d --max-size 20GB
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.app.collecting import Budget, collect_garbage  # noqa: PLC0415 - slow
    from orchestrator.report.collected import (  # noqa: PLC0415 - likewise
        collected_document,
        collected_lines,
        collected_summary,
    )

    opened = open_workspace(session.directory)
    budget = Budget.of(opened, older_than, max_size)
    collected = collect_garbage(opened, budget, dry_run=dry_run)
    if format_ == "json":
        click.echo(json.dumps(collected_document(collected), indent=2))
    else:
        say("\n".join(collected_lines(collected)))
    for note in collected.notes:
        session.note(note)
    session.note(collected_summary(collected))
    return ExitCode.DONE
