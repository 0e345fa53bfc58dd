"""`orch build`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator import logs
from orchestrator.app.opened import Opened, open_workspace
from orchestrator.app.planning import BuildOptions, Deps
from orchestrator.cli.options import (
    OUTPUT_FILE,
    offline_option,
    platform_option,
    progress_option,
    report_option,
    selection_options,
)
from orchestrator.cli.output import Session, tell
from orchestrator.cli.plan import build_options, show_plan
from orchestrator.errors import ExitCode
from orchestrator.ports import Outcome, Status
from orchestrator.report.progress import (
    JsonProgress,
    LiveProgress,
    PlainProgress,
    Progress,
    SilentProgress,
)
from orchestrator.report.text import format_outcome, format_summary
from orchestrator.select import Selection

if TYPE_CHECKING:
    from orchestrator.app.building import BuildRun
    from orchestrator.app.pushing import PushRun

_OTLP_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


@click.command()
@selection_options
@platform_option
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes at work; default: all cores.")
@click.option("--fail-fast/--keep-going", default=False, help="Stop at the first failure.")
@click.option("--force", is_flag=True, help="Build the selected images though nothing changed.")
@click.option("--dry-run", is_flag=True, help="Show the plan and do nothing, as orch plan.")
@offline_option
@click.option(
    "--retries",
    type=click.IntRange(0, 10),
    default=2,
    show_default=True,
    help="How often to try an image again after a fault that may pass.",
)
@click.option(
    "--relock-missing",
    is_flag=True,
    help="Pin Debian packages that no mirror has any more anew, in orch.lock.",
)
@click.option(
    "--builder",
    "builders",
    multiple=True,
    metavar="NAME",
    help="Build Dockerfiles with this buildx builder; may be given several times.",
)
@click.option(
    "--deps",
    type=click.Choice([deps.value for deps in Deps]),
    default=Deps.BUILD.value,
    show_default=True,
    help="Build what images stand on too, or take it from the registry and publish them there.",
)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Build with the workers of a Dask cluster, tcp://HOST:PORT, into the registry.",
)
@click.option("--strict", is_flag=True, help="Fail where an image is unavailable here.")
@click.option("--load", is_flag=True, help="Load the selected images into Docker.")
@click.option("--push", is_flag=True, help="Publish the selected images, as orch push.")
@report_option
@click.option(
    "--trace",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Write what was done when, for Perfetto and Chrome's tracing.",
)
@progress_option
@click.pass_obj
def build(session: Session, /, report: Path | None, **values: Any) -> int:
    """Bring images, and what they stand on, up to date; default: all.

    \b
    Examples:
      orch build                   all images
      orch build 'python-ml*'      those, and what they stand on
      orch build --load discord    and load it into Docker
      orch build --deps=registry discord
                                   by itself, on its parents as the registry has them
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.app.recording import remember_build  # noqa: PLC0415 - not for dry runs

    opened = open_workspace(session.directory, to_plan=True)
    options = build_options(opened, values)
    if values["dry_run"]:
        return show_plan(session, opened, options, "text")
    publishes = values["push"] or options.deps is Deps.REGISTRY
    if publishes or options.cluster:
        from orchestrator.app.pushing import namespace_of  # noqa: PLC0415 - likewise

        namespace_of(opened)  # told before anything is built
    progress = _progress(session, values["progress"])
    with progress, logs.keeping() as events:
        run = _run(session, opened, options, progress)
    run.notes += remember_build(run)
    for note in (*run.planned.notes, *run.notes):
        session.warn(note)
    _keep_report(run, report)
    _keep_trace(session, run, events, values["trace"])
    _show_settled(session, run.outcomes)
    session.note(format_summary(run.outcomes, run.duration_s))
    if values["load"] and run.ok:
        from orchestrator.app.loading import load  # noqa: PLC0415 - only when asked

        load(run, session.note)
    if run.was_interrupted:
        raise KeyboardInterrupt
    code = _exit_code(run.outcomes, run.planned.wanted, options, strict=values["strict"])
    return (_publish(session, run, options, report, values) if publishes and run.ok else 0) or code


def _run(session: Session, opened: Opened, options: BuildOptions, progress: Progress) -> BuildRun:
    if options.cluster:
        from orchestrator.cluster.building import build_on_cluster  # noqa: PLC0415 - rare

        return build_on_cluster(opened, options, progress, session.note)
    from orchestrator.app.building import build as run_build  # noqa: PLC0415 - not for dry runs

    return run_build(opened, options, progress, session.note)


def _publish(
    session: Session,
    run: BuildRun,
    options: BuildOptions,
    report: Path | None,
    values: dict[str, Any],
) -> int:
    """Publish what was selected, or, by itself, what is there of it; return the exit code."""
    from orchestrator.app.pushing import PushOptions  # noqa: PLC0415 - only when asked
    from orchestrator.cli.push import publish  # noqa: PLC0415 - likewise

    pushing = PushOptions(options.selection)
    if options.deps is Deps.REGISTRY:
        there = tuple(name for name in run.planned.wanted if run.outcomes[name].digest)
        if not there:
            return ExitCode.DONE
        pushing = PushOptions(Selection(there), tags=None if values["push"] else ())
    keep = _keeping(run, report) if report else None
    return publish(session, run.planned.opened, pushing, progress=values["progress"], keep=keep)


def _keep_report(run: BuildRun, report: Path | None) -> None:
    """Keep the report for `orch report`, and write the one that was asked for."""
    from orchestrator.app import reporting  # noqa: PLC0415 - not for dry runs

    reporting.keep_report(run)
    if report is not None:
        reporting.write_report(run, report)


def _keep_trace(
    session: Session, run: BuildRun, events: Sequence[logs.Event], file: Path | None
) -> None:
    """Write and send the trace, where somebody wants one."""
    sends = any(os.environ.get(name) for name in _OTLP_ENDPOINTS)
    if file is None and not sends:
        return
    from orchestrator.app.tracing import trace  # noqa: PLC0415 - only when asked

    for note in trace(run, events, file, sends=sends):
        session.warn(note)


def _keeping(run: BuildRun, report: Path) -> Callable[[PushRun], None]:
    """Return what adds a push to the report of its build."""
    from orchestrator.app.push_report import push_document  # noqa: PLC0415 - only when asked
    from orchestrator.app.reporting import write_report  # noqa: PLC0415 - likewise

    return lambda pushed: write_report(run, report, push_document(pushed))


def _progress(session: Session, wanted: str) -> Progress:
    kinds: dict[str, Callable[[], Progress]] = {
        "none": SilentProgress,
        "json": lambda: JsonProgress(sys.stderr),
        "live": LiveProgress,
        "plain": lambda: PlainProgress(session.note),
    }
    return kinds[session.progress(wanted)]()


def _show_settled(session: Session, outcomes: dict[str, Outcome]) -> None:
    """Repeat at the end what did not go well, so that nobody has to scroll for it."""
    for outcome in outcomes.values():
        if outcome.status is Status.UNAVAILABLE:
            session.warn(format_outcome(outcome))
        elif outcome.status in {Status.FAILED, Status.SKIPPED, Status.CANCELLED}:
            tell(format_outcome(outcome))


def _exit_code(
    outcomes: dict[str, Outcome], wanted: tuple[str, ...], options: BuildOptions, *, strict: bool
) -> int:
    statuses = {outcome.status for outcome in outcomes.values()}
    if Status.CANCELLED in statuses and Status.FAILED not in statuses:
        return ExitCode.INTERRUPTED
    failures = [outcome.error for outcome in outcomes.values() if outcome.status is Status.FAILED]
    if failures and all(e and e.exit_code is ExitCode.MISSING_TOOL for e in failures):
        return ExitCode.MISSING_TOOL
    if statuses & {Status.FAILED, Status.SKIPPED}:
        return ExitCode.FAILED
    named = not options.selection.is_everything
    missing = any(outcomes[name].status is Status.UNAVAILABLE for name in wanted)
    return ExitCode.MISSING_TOOL if missing and (named or strict) else ExitCode.DONE
