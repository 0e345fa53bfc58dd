"""`orch push`."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.app.opened import Opened, open_workspace
from orchestrator.cli.options import (
    format_option,
    progress_option,
    report_option,
    selection_of,
    selection_options,
)
from orchestrator.cli.output import Session, print_error
from orchestrator.errors import ExitCode

if TYPE_CHECKING:
    from orchestrator.app.pushing import PushOptions, PushRun
    from orchestrator.report.push_progress import PushProgress


@click.command()
@selection_options
@click.option(
    "--tag",
    "tags",
    multiple=True,
    metavar="TEMPLATE",
    help="Instead of the settings' tags; may be given several times.",
)
@click.option("--registry", metavar="HOST/PREFIX", default="", help="Instead of the settings'.")
@click.option("--jobs", type=click.IntRange(1, 32), default=8, show_default=True, help="At once.")
@click.option(
    "--attest/--no-attest",
    default=None,
    help="See that all selected images have an SBOM and provenance, or attach none.",
)
@click.option("--dry-run", is_flag=True, help="Ask the registry what it has; send nothing.")
@click.option(
    "--promote",
    nargs=2,
    type=str,
    metavar="FROM TO",
    help="Let tag TO name what tag FROM names there; nothing is built, sent or pulled.",
)
@report_option
@progress_option
@format_option
@click.pass_obj
def push(
    session: Session,
    /,
    promote: tuple[str, str] | None,
    report: Path | None,
    format_: str,
    **values: Any,
) -> int:
    """Publish images that are up to date, and prove by digest that they are there.

    \b
    Examples:
      orch push                             all images
      orch push --tag '{version}' api       one, under another tag
      orch push --promote staging live api  retag what the registry has
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.app import pushing  # noqa: PLC0415 - slow to import

    opened = open_workspace(session.directory)
    options = pushing.PushOptions(
        selection_of(values),
        values["tags"] or None,
        values["registry"],
        values["jobs"],
        dry_run=values["dry_run"],
        attest=values["attest"],
    )
    if promote:
        if options.tags or options.dry_run or report or options.attest is not None:
            raise click.UsageError("--promote goes without --tag, --attest, --dry-run and --report")
        return _promote(session, opened, options, promote, format_)
    from orchestrator.app.push_report import write_push_report  # noqa: PLC0415 - slow to import

    keep = functools.partial(write_push_report, file=report) if report else None
    return publish(
        session, opened, options, progress=values["progress"], format_=format_, keep=keep
    )


def publish(
    session: Session,
    opened: Opened,
    options: PushOptions,
    *,
    progress: str,
    format_: str = "text",
    keep: Callable[[PushRun], None] | None = None,
) -> int:
    """Push and say what came of it; return the exit code. `keep` writes it down."""
    from orchestrator.app import pushing  # noqa: PLC0415 - slow to import, and so on
    from orchestrator.app.push_recording import remember_push  # noqa: PLC0415
    from orchestrator.app.push_report import keep_push_report, push_document  # noqa: PLC0415
    from orchestrator.report.pushes import format_push_summary, reference_of  # noqa: PLC0415

    with _progress(session, progress) as shown:
        run = pushing.push(opened, options, shown)
    run.notes += remember_push(opened, run)
    for note in run.notes:
        session.warn(note)
    for name, why in run.unavailable.items():
        session.warn(f"unavailable {name}: {why}")
    keep_push_report(opened, run)
    if keep is not None:
        keep(run)
    if format_ == "json":
        click.echo(json.dumps(push_document(run), indent=2))
    else:
        for pushed in run.images:
            if reference := reference_of(pushed):
                click.echo(reference)
    session.note(format_push_summary(run.images, run.unavailable, run.duration_s))
    if run.was_interrupted:
        raise KeyboardInterrupt
    return _exit_code(run, options)


def _promote(
    session: Session, opened: Opened, options: PushOptions, tags: tuple[str, str], format_: str
) -> int:
    from orchestrator.app import pushing  # noqa: PLC0415 - as above
    from orchestrator.report.pushes import promotion_document  # noqa: PLC0415

    promoted = pushing.promote(opened, options, *tags)
    if format_ == "json":
        click.echo(json.dumps(promotion_document(promoted, *tags), indent=2))
    for item in promoted:
        if item.error and item.is_missing and options.selection.is_everything:
            session.warn(str(item.error))
        elif item.error:
            print_error(item.error)
        elif item.digest and format_ == "text":
            click.echo(f"{item.repository}:{tags[1]}@{item.digest}  {item.status.value}")
    missing = [item.is_missing for item in promoted]
    has_failed = any(item.error and not item.is_missing for item in promoted)
    named_is_missing = any(missing) and not options.selection.is_everything
    if has_failed or named_is_missing or all(missing):
        return ExitCode.FAILED
    return ExitCode.DONE


def _progress(session: Session, wanted: str) -> PushProgress:
    from orchestrator.report import push_progress as shown  # noqa: PLC0415 - as above

    kinds: dict[str, Callable[[], PushProgress]] = {
        "none": shown.SilentPush,
        "json": lambda: shown.JsonPush(sys.stderr),
        "live": shown.LivePush,
        "plain": lambda: shown.PlainPush(session.note),
    }
    return kinds[session.progress(wanted)]()


def _exit_code(run: PushRun, options: PushOptions) -> int:
    if not run.ok:
        return ExitCode.FAILED
    if run.unavailable and not options.selection.is_everything:
        return ExitCode.MISSING_TOOL
    return ExitCode.DONE
