"""`orch verify`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.app.opened import open_workspace
from orchestrator.atomic import write_output
from orchestrator.cli.options import (
    OUTPUT_FILE,
    format_option,
    parse_size,
    selection_of,
    selection_options,
)
from orchestrator.cli.output import Session, say
from orchestrator.errors import ExitCode
from orchestrator.settings import find_settings

if TYPE_CHECKING:
    from orchestrator.app.verifying import VerifyOptions, VerifyRun
    from orchestrator.checks.run import Checked


@click.command()
@selection_options
@click.option(
    "--runtime",
    type=click.Choice(["auto", "docker", "none"]),
    default="auto",
    help="Whether containers are run: auto where Docker answers.",
)
@click.option("--strict", is_flag=True, help="What could not be checked is a failure.")
@click.option("--jobs", type=click.IntRange(0, 32), default=0, help="At once; 0: as processors.")
@click.option(
    "--memory",
    callback=parse_size,
    default="2GB",
    show_default=True,
    metavar="SIZE",
    help="What a container may use.",
)
@click.option(
    "--report",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Write what came of it as JSON; also when a gate failed.",
)
@click.option(
    "--vulnerabilities",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Ask the scanners there are, and write what they find as SARIF.",
)
@format_option
@click.pass_obj
def verify(
    session: Session,
    /,
    strict: bool,  # noqa: FBT001 - a flag of the command line
    report: Path | None,
    vulnerabilities: Path | None,
    format_: str,
    **values: Any,
) -> int:
    """Prove that built images run as they should: read, started, asked, stopped.

    \b
    Examples:
      orch verify                        all images
      orch verify --runtime none api     what can be told without a container
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.app import verifying  # noqa: PLC0415 - slow to import
    from orchestrator.app.verify_recording import (  # noqa: PLC0415 - likewise
        remember_interrupted,
        remember_verification,
    )
    from orchestrator.app.verify_report import (  # noqa: PLC0415 - likewise
        keep_verify_report,
        write_verify_report,
    )

    options = verifying.VerifyOptions(
        selection_of(values),
        verifying.Use(values["runtime"]),
        values["jobs"],
        values["memory"],
        vulnerabilities=vulnerabilities is not None,
    )
    opened = open_workspace(session.directory)
    began = datetime.now(UTC)
    try:
        run = verifying.verify(opened, options)
    except KeyboardInterrupt:
        _warn(session, remember_interrupted(opened, began))
        raise
    unremembered = remember_verification(opened, run)
    keep_verify_report(opened, run)
    if report is not None:
        write_verify_report(run, report)
    if vulnerabilities is not None and run.scanned is not None:
        _write_sarif(session, run.scanned, vulnerabilities)
    _show(session, run, format_)
    _warn(session, unremembered)
    return _exit_code(run, options, strict=strict)


def _warn(session: Session, notes: Iterable[str]) -> None:
    for note in notes:
        session.warn(note)


def _write_sarif(session: Session, scanned: Checked, file: Path) -> None:
    from orchestrator.report.sarif import sarif_document  # noqa: PLC0415 - only where asked for

    for scanner, why in scanned.not_run.items():
        session.warn(f"{scanner}: {why}")
    document = sarif_document(scanned, find_settings(session.directory)[0].parent)
    write_output(file, json.dumps(document, indent=2) + "\n")


def _show(session: Session, run: VerifyRun, format_: str) -> None:
    from orchestrator.app.verify_report import verify_document  # noqa: PLC0415 - as above
    from orchestrator.report import verification  # noqa: PLC0415 - likewise

    _warn(session, run.notes)
    for name, why in run.unavailable.items():
        session.warn(f"unavailable {name}: {why}")
    if format_ == "json":
        click.echo(json.dumps(verify_document(run), indent=2))
    else:
        for image in run.images:
            is_alone = len(run.images) == 1
            say("\n".join(verification.verified_lines(image, sizes=is_alone)))
    for line in verification.unchecked_lines(run.images):
        session.note(line)
    session.note(verification.summary_line(run.images, run.duration_s))


def _exit_code(run: VerifyRun, options: VerifyOptions, *, strict: bool) -> int:
    if not run.ok:
        return ExitCode.FAILED
    if run.unavailable and (strict or not options.selection.is_everything):
        return ExitCode.MISSING_TOOL
    if strict and not run.is_complete:
        return ExitCode.MISSING_TOOL if run.no_engine else ExitCode.FAILED
    return ExitCode.DONE
