"""`orch init`: settings for a repository as it is, or a workspace to begin with."""

from __future__ import annotations

import json

import click

from orchestrator.app.initialising import initialise
from orchestrator.cli.options import format_option
from orchestrator.cli.output import Session, say
from orchestrator.discovery.proposal import Proposal
from orchestrator.errors import ExitCode
from orchestrator.git import lacks_ignore
from orchestrator.report.proposals import proposal_document, proposal_lines
from orchestrator.rewriting import unified_diff


@click.command()
@click.option("--dry-run", is_flag=True, help="Print the settings and write nothing.")
@click.option("--force", is_flag=True, help="Write orch.toml though there are settings.")
@format_option
@click.pass_obj
def init(session: Session, format_: str, *, dry_run: bool, force: bool) -> int:
    """Write settings for the Dockerfiles and recipes of this folder.

    Where there are none, Python projects are read and recipes written for them. In an empty
    folder a small workspace is written: two bases and a service that answers.

    \b
    Examples:
      orch init --dry-run      show what would be written
      orch init                write it; then: orch lock, orch build
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    proposal = initialise(session.directory, write=not dry_run, force=force)
    lines = proposal_lines(proposal)
    if format_ == "json":
        click.echo(json.dumps(proposal_document(proposal, written=not dry_run), indent=2))
    elif dry_run:
        session.note("\n".join(lines))
        click.echo(proposal.text, nl=False)
        for path, text in proposal.files.items():
            click.echo(unified_diff(path, "", text), nl=False)
    else:
        say("\n".join(lines))
        _tell_written(session, proposal)
    return ExitCode.DONE


def _tell_written(session: Session, proposal: Proposal) -> None:
    file = proposal.workspace.settings.file
    for path in proposal.files:
        session.note(f"wrote {path}")
    following = "orch lock, then orch build" if proposal.files else "orch plan"
    session.note(f"wrote {file}; next: {following}")
    if lacks_ignore(file.parent, ".orch/"):
        session.note("add .orch/ to .gitignore: what is built goes there")
