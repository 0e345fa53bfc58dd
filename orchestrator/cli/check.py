"""`orch check`: rules over the workspace."""

from __future__ import annotations

import json
from typing import Any

import click

from orchestrator.app import checking
from orchestrator.checks.finding import Severity
from orchestrator.cli.options import selection_of, selection_options
from orchestrator.cli.output import Session
from orchestrator.errors import ExitCode
from orchestrator.report import checks


@click.command()
@selection_options
@click.option("--rule", "wanted", multiple=True, metavar="ID", help="Only findings of this rule.")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    help="How findings are printed.",
)
@click.pass_obj
def check(
    session: Session, /, format_: str, wanted: tuple[str, ...], *, strict: bool, **options: Any
) -> int:
    """Look for what is known to go wrong, before anything is built.

    \b
    orch check                       every rule, every image
    orch check stt --rule cuda-mismatch
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    checked = checking.check(session.directory, selection_of(options), wanted)
    if format_ == "json":
        click.echo(json.dumps(checks.check_document(checked), indent=2))
    else:
        for line in checks.check_lines(checked):
            click.echo(line)
    for rule, why in checked.not_run.items():
        session.warn(f"{rule} was not checked: {why}")
    session.note(checks.summary(checked))
    failing = checked.count(Severity.ERROR) or (strict and checked.count(Severity.WARNING))
    return ExitCode.FAILED if failing else ExitCode.DONE
