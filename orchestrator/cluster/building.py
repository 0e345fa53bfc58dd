"""`orch build --cluster`: a plan whose steps are done by the workers of a Dask cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from orchestrator.app.alone import check_wheels, keep_other_platforms
from orchestrator.app.asking import doubts_of
from orchestrator.app.building import BuildRun, record_outcome, settled
from orchestrator.app.opened import Opened
from orchestrator.app.planning import BuildOptions, Planned, plan
from orchestrator.app.published import find_published
from orchestrator.app.step_logs import write_logs
from orchestrator.atomic import write_text
from orchestrator.cluster.client import Cluster, connected
from orchestrator.cluster.engine import ClusterEngine
from orchestrator.cluster.job import Job
from orchestrator.cluster.parcel import Parcel
from orchestrator.plan import Action, Plan, Step
from orchestrator.ports import Observer, Outcome, Status
from orchestrator.schedule import Run, heaviest_first
from orchestrator.state import State

_WAITING = 256
"""How many jobs are waited for at once; the cluster does others meanwhile."""


def build_on_cluster(
    opened: Opened, options: BuildOptions, observer: Observer, say: Callable[[str], None]
) -> BuildRun:
    """Bring the selected images, and what they stand on, up to date in the registry.

    All is built that the registry does not have, by jobs of one image each; the workspace's files
    are sent along. What was built is recorded here, and lies in the registry alone.

    Raises:
        MissingToolError: The cluster does not answer, has no workers, or they have another orch.
        OrchError: The request or the workspace is wrong; what fails in a job is its outcome.
    """
    run = BuildRun(plan(opened, options), datetime.now(UTC))
    run.began_s = time.monotonic()
    found = find_published(run.planned, run.planned.wanted if options.force else (), anew=True)
    keep_other_platforms(opened, options)
    run.notes += doubts_of(found)
    run.planned = plan(opened, options, found.records)
    check_wheels(run.planned)
    if run.planned.plan.to_build:
        with connected(options.cluster) as cluster:
            many = len(cluster.workers)
            say(f"{many} worker{'s'[: many > 1]} at {cluster.address}; {cluster.dashboard}")
            run.planned = _without_unserved(run.planned, cluster)
            _carry_out(run, options, cluster, observer)
        _remember(run)
    else:
        steps = run.planned.plan.steps
        run.outcomes = {name: settled(step) for name, step in steps.items()}
    run.duration_s = time.monotonic() - run.began_s
    return run


def _without_unserved(planned: Planned, cluster: Cluster) -> Planned:
    """Return the plan with what no worker can build, and what stands on it, unavailable."""
    settings, steps = planned.opened.workspace.settings, dict[str, Step]()
    for name, step in planned.plan.steps.items():
        steps[name] = step
        if step.action is not Action.BUILD:
            continue
        above = [steps[parent] for parent in planned.opened.graph.parents[name]]
        lost = [one.image.name for one in above if one.action is Action.UNAVAILABLE]
        lacking = cluster.lacks(step, settings)
        if lacking or lost:
            why = f"it stands on {lost[0]}, which is unavailable" if lost else ""
            why = why or f"no worker of the cluster offers {lacking}"
            steps[name] = replace(step, action=Action.UNAVAILABLE, unavailable=why)
    return replace(planned, plan=Plan(steps))


@dataclass(frozen=True, slots=True)
class _Watching:
    """An observer that hears of beginnings from the cluster, and gets its times."""

    observer: Observer
    engine: ClusterEngine

    def planned(self, steps: int) -> None:
        self.observer.planned(steps)

    def started(self, step: Step) -> None:
        """Take no note: it may have to wait for a worker yet."""

    def fetched(self, size_bytes: int) -> None:
        self.observer.fetched(size_bytes)

    def finished(self, outcome: Outcome) -> None:
        self.observer.finished(self.engine.timed(outcome))


def _carry_out(run: BuildRun, options: BuildOptions, cluster: Cluster, observer: Observer) -> None:
    planned, opened = run.planned, run.planned.opened
    logs = opened.paths.logs

    def keep_log(name: str, text: str) -> None:
        write_text(logs / f"{name}.log", text)

    engine = ClusterEngine(
        cluster, run.run, observer, run.notes.extend, keep_log, fail_fast=options.fail_fast
    )
    durations = State(opened.paths.database).durations(planned.platform.key)
    ways = heaviest_first(planned.plan, opened.graph, durations)
    observer.planned(len(planned.plan.to_build))
    engine.submit(
        [(step, _job(run.run, step, options, planned)) for step in planned.plan.to_build],
        Parcel.of(opened.workspace),
        opened.graph,
        opened.workspace.settings,
        {name: -weight for name, (weight, _) in ways.items()},
    )
    scheduled = Run(
        planned.plan,
        opened.graph,
        engine,
        _Watching(observer, engine),
        lambda _: None,
        fail_fast=options.fail_fast,
    )
    outcomes = scheduled.run(_WAITING)
    run.outcomes = {name: engine.timed(outcome) for name, outcome in outcomes.items()}
    run.notes[:] = dict.fromkeys(run.notes)


def _job(run: str, step: Step, options: BuildOptions, planned: Planned) -> Job:
    name = step.image.name
    return Job(
        run,
        name,
        step.platform.key,
        step.fingerprint.digest,
        options.builders,
        options.jobs,
        options.retries,
        force=options.force and name in planned.wanted,
    )


def _remember(run: BuildRun) -> None:
    """Record what the registry has now, so that it can be named and pushed from here."""
    planned = run.planned
    built = [outcome for outcome in run.outcomes.values() if outcome.status is Status.BUILT]
    names: Mapping[str, Step] = {o.step.image.name: o.step for o in built}
    find_published(replace(planned, plan=Plan(names)), anew=True)
    state = State(planned.opened.paths.database)
    for outcome in built:
        record_outcome(state, outcome)
    write_logs(planned.opened.paths, run.outcomes)
