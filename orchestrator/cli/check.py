"""`orch check`: rules over the workspace."""

from __future__ import annotations

import json
from typing import Any

import click

from orchestrator.app import checking
from orchestrator.app.check_report import keep_check_report
from orchestrator.checks.finding import Severity
from orchestrator.checks.registry import choose_rules, read_rules
from orchestrator.checks.run import Checked
from orchestrator.cli.options import selection_of, selection_options
from orchestrator.cli.output import Session, say
from orchestrator.errors import ExitCode
from orchestrator.report import checks
from orchestrator.report.rules import page_of
from orchestrator.report.sarif import sarif_document
from orchestrator.select import Selection


@click.command()
@selection_options
@click.option(
    "--rule",
    "wanted",
    multiple=True,
    metavar="ID",
    help="Only findings of this rule; may be given several times.",
)
@click.option("--fix", is_flag=True, help="Put right what can be without changing any image.")
@click.option("--dry-run", is_flag=True, help="With --fix: show the changes and write nothing.")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@click.option("--list-rules", is_flag=True, help="List the rules and check nothing.")
@click.option("--explain", metavar="ID", help="Say what a rule is about, and check nothing.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    help="How findings are printed.",
)
@click.pass_obj
def check(session: Session, /, format_: str, explain: str | None, **options: Any) -> int:
    """Look for what is known to go wrong, before anything is built.

    \b
    Examples:
      orch check                           every rule, every image
      orch check stt --rule cuda-mismatch  one of each
      orch check --fix --dry-run           what could be put right, as a diff
      orch check --explain unused-base     what a rule is about
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    if explain is not None:
        (one, *_) = choose_rules(read_rules(), [explain])
        click.echo(page_of(one), nl=False)
        return ExitCode.DONE
    if options.pop("list_rules"):
        for line in checks.rule_lines(read_rules()):
            say(line)
        return ExitCode.DONE
    strict = options.pop("strict")
    selection = selection_of(options)
    checked = _check(session, selection, **options)
    if checked is None:
        return ExitCode.DONE
    _print(session, checked, format_)
    if selection.is_everything and not options["wanted"]:
        for problem in keep_check_report(checking.root_of(session.directory), checked):
            session.warn(problem)
    failing = checked.count(Severity.ERROR) or (strict and checked.count(Severity.WARNING))
    return ExitCode.FAILED if failing else ExitCode.DONE


def _check(
    session: Session, selection: Selection, wanted: tuple[str, ...], *, fix: bool, dry_run: bool
) -> Checked | None:
    """Return what was found, or is left after fixes; None where changes were only shown."""
    if dry_run and not fix:
        raise click.UsageError("--dry-run goes with --fix")
    if not fix:
        return checking.check(session.directory, selection, wanted)
    if dry_run:
        checked = checking.check(session.directory, selection, wanted)
        for fixed in checking.fixes(session.directory, checked):
            click.echo(fixed.diff(), nl=False)
        return None
    checked, written = checking.fix(session.directory, selection, wanted)
    for fixed in written:
        for finding in fixed.findings:
            session.note(f"fixed {finding.where}: {finding.message} [{finding.rule}]")
    return checked


def _print(session: Session, checked: Checked, format_: str) -> None:
    if format_ == "sarif":
        document = sarif_document(checked, checking.root_of(session.directory))
        click.echo(json.dumps(document, indent=2))
    elif format_ == "json":
        click.echo(json.dumps(checks.check_document(checked), indent=2))
    else:
        for line in checks.check_lines(checked):
            say(line)
    for rule, why in checked.not_run.items():
        session.warn(f"{rule} was not checked: {why}")
    session.note(checks.summary(checked))
