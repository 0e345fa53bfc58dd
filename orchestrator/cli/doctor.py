"""`orch doctor`: is this machine fit?"""

from __future__ import annotations

import json

import click

from orchestrator.cli.options import format_option
from orchestrator.cli.output import Session, say
from orchestrator.errors import ExitCode


@click.command()
@click.option("--offline", is_flag=True, help="Ask no registry and no package index.")
@format_option
@click.pass_obj
def doctor(session: Session, offline: bool, format_: str) -> int:  # noqa: FBT001 - a flag
    """Look whether this machine is fit: disks, Docker, registry, indexes, clock, and so on.

    What is not ok says what to do. Ends with 1 if something would fail. Works without a workspace
    too. What is tried is removed again.

    \b
    Examples:
      orch doctor
      orch doctor --offline
      orch doctor --format json
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.app.diagnosing import diagnose  # noqa: PLC0415 - slow to import
    from orchestrator.report.fitness import (  # noqa: PLC0415 - likewise
        fitness_document,
        fitness_lines,
        fitness_summary,
    )

    found = diagnose(session.directory, offline=offline)
    document = fitness_document(found)
    if format_ == "json":
        click.echo(json.dumps(document, indent=2))
    else:
        say("\n".join(fitness_lines(found)))
    session.note(fitness_summary(found))
    return ExitCode.DONE if document["ok"] else ExitCode.FAILED
