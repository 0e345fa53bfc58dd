"""`orch build` and `orch plan`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator import logs
from orchestrator.app.opened import Opened, open_workspace
from orchestrator.app.planning import Asking, BuildOptions, Deps, Planned, default_platform
from orchestrator.app.planning import plan as make_plan
from orchestrator.cli.options import (
    format_option,
    progress_option,
    report_option,
    selection_of,
    selection_options,
)
from orchestrator.cli.output import Session
from orchestrator.errors import BaseMovedError, ExitCode, MissingToolError
from orchestrator.model import Platform
from orchestrator.ports import Outcome, Status
from orchestrator.report.documents import plan_document
from orchestrator.report.progress import (
    JsonProgress,
    LiveProgress,
    PlainProgress,
    Progress,
    SilentProgress,
)
from orchestrator.report.text import format_outcome, format_summary, plan_lines
from orchestrator.select import Selection

if TYPE_CHECKING:
    from orchestrator.app.building import BuildRun
    from orchestrator.app.pushing import PushRun

_OTLP_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_platform = click.option("--platform", metavar="OS/ARCH", help="Instead of this machine's.")


@click.command()
@selection_options
@_platform
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes at work; default: all cores.")
@click.option("--fail-fast/--keep-going", default=False, help="Stop at the first failure.")
@click.option("--force", is_flag=True, help="Build the selected images though nothing changed.")
@click.option("--dry-run", is_flag=True, help="Show the plan and do nothing, as orch plan.")
@click.option("--offline", is_flag=True, help="Fetch nothing; only what is in the cache.")
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
@click.option("--builder", metavar="NAME", help="Build Dockerfiles with this buildx builder.")
@click.option(
    "--deps",
    type=click.Choice([deps.value for deps in Deps]),
    default=Deps.BUILD.value,
    show_default=True,
    help="Build what images stand on too, or take it from the registry and publish them there.",
)
@click.option("--strict", is_flag=True, help="Fail where an image is unavailable here.")
@click.option("--load", is_flag=True, help="Load the selected images into Docker.")
@click.option("--push", is_flag=True, help="Publish the selected images, as orch push.")
@report_option
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write what was done when, for Perfetto and Chrome's tracing.",
)
@progress_option
@click.pass_obj
def build(session: Session, /, report: Path | None, **values: Any) -> int:
    """Bring images, and what they stand on, up to date; default: all.

    \b
    orch build                   all images
    orch build 'python-ml*'      those, and what they stand on
    orch build --load discord    and load it into Docker
    orch build --deps=registry discord
                                 by itself, on its parents as the registry has them
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.app.building import build as run_build  # noqa: PLC0415 - not for dry runs
    from orchestrator.app.recording import remember_build  # noqa: PLC0415 - likewise

    opened = open_workspace(session.directory)
    options = _options(opened, values)
    if values["dry_run"]:
        return _show_plan(session, opened, options, "text")
    publishes = values["push"] or options.deps is Deps.REGISTRY
    if publishes:
        from orchestrator.app.pushing import PushOptions, namespace_of  # noqa: PLC0415 - likewise

        namespace_of(opened)  # told before anything is built
    progress = _progress(session, values["progress"])
    with progress, logs.keeping() as events:
        run = run_build(opened, options, progress, session.note)
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
    if publishes and run.ok:
        from orchestrator.cli.push import publish  # noqa: PLC0415 - only when asked

        pushing = PushOptions(options.selection)
        if options.deps is Deps.REGISTRY:
            there = tuple(name for name in run.planned.wanted if run.outcomes[name].digest)
            if not there:
                return code
            pushing = PushOptions(Selection(there), tags=None if values["push"] else ())
        keep = _keeping(run, report) if report else None
        return publish(session, opened, pushing, progress=values["progress"], keep=keep) or code
    return code


@click.command()
@selection_options
@_platform
@click.option("--force", is_flag=True, help="As if the selected images had to be built.")
@click.option(
    "--check-bases",
    is_flag=True,
    help="Instead of the plan: have external images moved upstream? Ends with 1 if so.",
)
@format_option
@click.pass_obj
def plan(session: Session, /, format_: str, **values: Any) -> int:
    """Show what a build would do, and why; write nothing."""
    opened = open_workspace(session.directory)
    if values["check_bases"]:
        return _check_bases(session, opened, selection_of(values), format_)
    return _show_plan(session, opened, _options(opened, values), format_)


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


def _check_bases(session: Session, opened: Opened, selection: Selection, format_: str) -> int:
    from orchestrator.app.bases import check_bases  # noqa: PLC0415 - only when asked
    from orchestrator.report.bases import bases_document, bases_lines  # noqa: PLC0415 - likewise
    from orchestrator.resolve.pinning import BaseStatus  # noqa: PLC0415 - likewise

    bases = check_bases(opened, selection)
    if format_ == "json":
        click.echo(json.dumps(bases_document(bases), indent=2))
    else:
        for line in bases_lines(bases):
            click.echo(line)
    by_status = {
        status: [base.external.reference for base in bases if base.status is status]
        for status in BaseStatus
    }
    if moved := [*by_status[BaseStatus.MOVED], *by_status[BaseStatus.GONE]]:
        raise BaseMovedError(
            f"upstream is not what orch.lock pins: {', '.join(moved)}",
            hint="run: orch lock --upgrade-bases",
        )
    if unknown := by_status[BaseStatus.UNKNOWN]:
        raise MissingToolError(
            f"it is not known whether these moved: {', '.join(unknown)}",
            hint="see to their registries, or to the network",
        )
    if unpinned := by_status[BaseStatus.UNPINNED]:
        session.warn(f"not pinned, so they may move unseen: {', '.join(unpinned)}; run: orch lock")
    else:
        session.note("external images are upstream as orch.lock pins them")
    return ExitCode.DONE


def _options(opened: Opened, values: dict[str, Any]) -> BuildOptions:
    given, asking = values.get("platform"), _asking(opened, values)
    deps = Deps(values.get("deps", Deps.BUILD.value))
    if deps is Deps.REGISTRY and (values["offline"] or values["relock_missing"]):
        raise click.UsageError("--deps=registry goes without --offline and --relock-missing")
    return BuildOptions(
        platform=Platform.parse(given) if given else default_platform(opened),
        selection=selection_of(values),
        jobs=values.get("jobs") or 0,
        fail_fast=values.get("fail_fast", False),
        force=values.get("force", False),
        offline=values.get("offline", False),
        relock_missing=values.get("relock_missing", False),
        retries=values.get("retries", 0),
        builder=values.get("builder") or "",
        asking=asking,
        deps=deps,
    )


def _asking(opened: Opened, values: dict[str, Any]) -> Asking:
    """Return whether a registry decides too what is to be built; what is pushed goes there."""
    if values.get("push") or values.get("deps") == Deps.REGISTRY.value:
        return Asking.SURELY
    has_registry = bool(opened.workspace.settings.registry)
    asks = has_registry and values["changed"] and not values.get("offline")
    return Asking.IN_PASSING if asks else Asking.NOT


def _show_plan(session: Session, opened: Opened, options: BuildOptions, format_: str) -> int:
    planned = _planned(opened, options)
    for note in planned.notes:
        session.warn(note)
    for detail in planned.details if session.verbose else ():
        session.note(detail)
    if format_ == "json":
        click.echo(json.dumps(plan_document(planned.plan), indent=2))
    else:
        click.echo("\n".join(plan_lines(opened.graph, planned.plan)))
    return ExitCode.DONE


def _planned(opened: Opened, options: BuildOptions) -> Planned:
    if options.asking is Asking.NOT:
        return make_plan(opened, options)
    from orchestrator.app.asking import plan_foreseeing  # noqa: PLC0415 - slow to import

    return plan_foreseeing(opened, options)


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
            click.echo(format_outcome(outcome), err=True)


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
