"""`orch build`: the plan, the engine that carries it out, records and names."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestrator.app.opened import Opened, archive_of, at_work, read_lock, writing_lock
from orchestrator.app.planning import Asking, BuildOptions, Deps, Planned, plan
from orchestrator.errors import InterruptedByUserError, OrchError
from orchestrator.logs import run_id
from orchestrator.oci.layout import Layout
from orchestrator.plan import Action, Step
from orchestrator.ports import Observer, Outcome, Status
from orchestrator.state import State

if TYPE_CHECKING:
    from orchestrator.engines.assembler.published import Earlier
    from orchestrator.engines.docker.engine import DockerEngine

_RELOCKS = 3
_DOCKERFILES = 64
"""How many Dockerfiles are given to BuildKit at once: it does the work, and shares what it has."""


@dataclass(slots=True)
class BuildRun:
    """What a build came to.

    `was_interrupted` outside of a step, that is; `hopeless` are images whose wheels could not be
    built, and why. `earlier` is what a registry
    knows of images that are to be built; `run` is the id that log events have too. `began_s` is by
    the monotonic clock, as what outcomes say of times.
    """

    planned: Planned
    started: datetime
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    began_s: float = 0.0
    duration_s: float = 0.0
    notes: list[str] = field(default_factory=list)
    hopeless: dict[str, OrchError] = field(default_factory=dict)
    earlier: Earlier | None = None
    was_interrupted: bool = False
    run: str = field(default_factory=run_id)

    @property
    def ok(self) -> bool:
        """Tell whether nothing failed and nothing was cut short."""
        bad = {Status.FAILED, Status.SKIPPED, Status.CANCELLED}
        return not self.was_interrupted and not any(
            outcome.status in bad for outcome in self.outcomes.values()
        )


@at_work
def build(
    opened: Opened,
    options: BuildOptions,
    observer: Observer,
    say: Callable[[str], None] = lambda _: None,
) -> BuildRun:
    """Bring the selected images, and what they stand on, up to date.

    Images get their names in the layout when all are settled; what was built is recorded and
    named also where others failed. Wheels that no index has are built first, and the lock says
    what came of that. With `relock_missing`, Debian packages that no place has any
    more are pinned anew, and what needs them is built again. When the user interrupts, the run says
    what was cancelled.

    Raises:
        OrchError: The request or the workspace is wrong; what fails in a step is its outcome.
    """
    run = BuildRun(plan(opened, options), datetime.now(UTC))
    run.began_s = time.monotonic()
    try:
        _bring_up_to_date(run, options, observer, say)
    except (KeyboardInterrupt, InterruptedByUserError):
        run.was_interrupted = True
        steps = run.planned.plan.steps
        run.outcomes = {name: run.outcomes.get(name) or _cut_short(steps[name]) for name in steps}
    run.duration_s = time.monotonic() - run.began_s
    opened.memory.save()  # which the plan could not do where there was no folder yet
    return run


def _bring_up_to_date(
    run: BuildRun, options: BuildOptions, observer: Observer, say: Callable[[str], None]
) -> None:
    if options.asking is not Asking.NOT:
        _reuse_published(run, options, say)
    _build_wheels(run, options, say)
    for _ in range(_RELOCKS):
        gone = _carry_out(run, options, observer)
        if not gone or not options.relock_missing:
            break
        run.notes += _relock(run.planned, gone)
        run.planned = plan(run.planned.opened, options)


def _reuse_published(run: BuildRun, options: BuildOptions, say: Callable[[str], None]) -> None:
    """Record what a registry has, and plan again with that."""
    from orchestrator.app.alone import plan_alone  # noqa: PLC0415 - slow to import
    from orchestrator.app.asking import doubts_of, reuse_published  # noqa: PLC0415 - likewise

    opened = run.planned.opened
    if options.deps is Deps.REGISTRY:
        run.planned, found = plan_alone(opened, options)
        run.notes += doubts_of(found)
        reused = [name for name in found.reused if name in run.planned.plan.steps]
    else:
        found = reuse_published(opened, options, run.notes)
        run.planned = plan(opened, options)
        reused = list(found.reused)
    run.earlier = found.earlier
    if reused:
        say(f"{len(reused)} published already: {', '.join(reused)}")


def _build_wheels(run: BuildRun, options: BuildOptions, say: Callable[[str], None]) -> None:
    """Build the wheels that steps want and the lock does not have yet, and plan again with them."""
    planned = run.planned
    wanted = {
        step.image.name: [wheel for wheel in adds.wheels if not wheel.is_wheel]
        for step in planned.plan.to_build
        if step.image.name in planned.opened.graph.takes_wheels
        and (adds := planned.lock.images.get((step.image.name, planned.platform)))
    }
    sdists = {sdist for held in wanted.values() for sdist in held}
    if not sdists:
        return
    from orchestrator.app.wheel_building import (  # noqa: PLC0415 - slow to import, rarely needed
        build_sdists,
        changes,
        open_workshop,
    )

    opened, lock = planned.opened, planned.lock
    builds = [b for b in lock.builds if b.platform == planned.platform and b.sdist in sdists]
    with ExitStack() as resources:
        workshop = open_workshop(
            opened, lock, planned.platform, resources, say, offline=options.offline
        )
        result = build_sdists(opened, lock, builds, workshop, options.jobs or os.cpu_count() or 1)
    run.notes += [*workshop.warnings, *_lock_changes(changes(result.built, lock))]
    run.hopeless = {
        name: result.failures[sdist]
        for name, held in wanted.items()
        for sdist in held
        if sdist in result.failures
    }
    if result.built:
        run.planned = plan(opened, options)


def _carry_out(run: BuildRun, options: BuildOptions, observer: Observer) -> frozenset[str]:
    """Run the plan; return the sha256 of the files that no place has."""
    planned = run.planned
    if not planned.plan.to_build:
        run.outcomes = {name: settled(step) for name, step in planned.plan.steps.items()}
        if _are_names_behind(run):
            _name(run)
        return frozenset()
    from orchestrator.app.engines import open_engines  # noqa: PLC0415 - only where one is built
    from orchestrator.app.step_logs import write_logs  # noqa: PLC0415 - likewise
    from orchestrator.schedule import Run  # noqa: PLC0415 - likewise

    jobs = options.jobs or os.cpu_count() or 1
    observer.planned(len(planned.plan.to_build))
    state = State(planned.opened.paths.database)
    before = state.digests()
    with ExitStack() as resources:
        engines = open_engines(
            planned, options, jobs, observer, resources, run.hopeless, run.earlier
        )
        scheduled = Run(
            planned.plan,
            planned.opened.graph,
            engines,
            observer,
            lambda outcome: record_outcome(state, outcome),
            fail_fast=options.fail_fast,
            durations=state.durations(planned.platform.key),
            retries=options.retries,
        )
        run.outcomes = scheduled.outcomes  # what there is of them when a second Ctrl-C comes
        run.outcomes = scheduled.run(jobs + 1, options.jobs or _DOCKERFILES)
        run.notes += engines.warnings()
        _name(run)
        if engines.docker is not None:
            _name_in_docker(run, engines.docker, before, state.digests())
    write_logs(planned.opened.paths, run.outcomes)
    return frozenset(engines.gone)


def settled(step: Step) -> Outcome:
    """Return the outcome of a step that does not build."""
    if step.action is Action.UNAVAILABLE:
        return Outcome(step, Status.UNAVAILABLE, step.unavailable)
    return Outcome(step, Status.REUSED)


def _cut_short(step: Step) -> Outcome:
    if step.action is Action.BUILD:
        return Outcome(step, Status.CANCELLED, "the run was stopped")
    return settled(step)


def record_outcome(state: State, outcome: Outcome) -> None:
    """Remember what was built."""
    step, made = outcome.step, outcome.made
    state.write(
        step.image.name,
        step.platform.key,
        step.fingerprint,
        outcome.digest,
        outcome.duration_s,
        made.size_bytes if made else 0,
        made.unpacked_bytes if made else 0,
    )


def _are_names_behind(run: BuildRun) -> bool:
    """Tell whether an earlier run was killed after its last record, and before it named images."""
    layout = Layout(run.planned.opened.paths.layout)
    named, platform = layout.names(), run.planned.platform.key
    return any(
        outcome.status is Status.REUSED
        and named.get(name, {}).get(platform) != outcome.digest
        and layout.has_image(outcome.digest)
        for name, outcome in run.outcomes.items()
    )


def _name(run: BuildRun) -> None:
    """Name in the layout what was built, all at once; Dockerfiles' images are in Docker."""
    from orchestrator.git import commit_annotations  # noqa: PLC0415 - only after a build

    opened, platform = run.planned.opened, run.planned.platform
    layout = Layout(opened.paths.layout)
    done = {
        name: (platform, outcome.digest)
        for name, outcome in run.outcomes.items()
        if outcome.status in {Status.BUILT, Status.REUSED} and layout.has_image(outcome.digest)
    }
    if done:
        layout.name(done, commit_annotations(opened.paths.root))


def _name_in_docker(
    run: BuildRun,
    docker: DockerEngine,
    before: frozenset[tuple[str, str]],
    after: frozenset[tuple[str, str]],
) -> None:
    """Name in Docker what was built, and let go of what it took the place of."""
    from orchestrator.app.naming import name_in_docker, prune_superseded  # noqa: PLC0415 - rare

    try:
        name_in_docker(run.outcomes, docker)
        prune_superseded(before, after, docker)
    except OrchError as error:  # the images are complete all the same
        run.notes.append(f"names in Docker are not up to date: {error.in_a_line}")


def _relock(planned: Planned, gone: frozenset[str]) -> list[str]:
    """Pin vanished Debian packages anew and write the lock; return what moved."""
    from orchestrator.atomic import write_text  # noqa: PLC0415 - rarely needed
    from orchestrator.lockwriting import format_lock  # noqa: PLC0415
    from orchestrator.resolve.relock import relock_debs  # noqa: PLC0415

    opened = planned.opened
    with writing_lock(opened):
        now = read_lock(opened)
        debs = {deb for adds in now.images.values() for deb in adds.debs if deb.sha256 in gone}
        lock, moved = relock_debs(now, opened.graph, opened.workspace, archive_of(opened)(), debs)
        write_text(opened.paths.lock, format_lock(lock), sync=True)
    return _lock_changes(moved)


def _lock_changes(lines: Iterable[str]) -> list[str]:
    return [f"orch.lock changed, review it: {line}" for line in lines]
