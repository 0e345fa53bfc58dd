"""`orch plan --github-matrix` and `--gitlab`: what is stale, spread over jobs."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.app.asking import plan_foreseeing
from orchestrator.app.opened import Opened
from orchestrator.app.planning import Asking, BuildOptions, Planned, plan
from orchestrator.history import History, Kind, Wanted
from orchestrator.pipelines.batches import Batch, Bounds, Work, spread
from orchestrator.plan import Action
from orchestrator.ports import Status

_RUNS_READ = 200
"""How many builds durations are looked for in, the last first."""


def spread_plan(
    opened: Opened, options: Iterable[BuildOptions], bounds: Bounds, notes: list[str]
) -> tuple[Batch, ...]:
    """Plan for each platform, and spread what is to be built on any of them over jobs.

    `notes` take what a person should know of the plans.

    Raises:
        OrchError: As for `planning.plan`.
    """
    stale: set[str] = set()
    for one in options:
        planned = _planned(opened, one)
        notes += [note for note in planned.notes if note not in notes]
        steps = planned.plan.steps
        stale |= {name for name in steps if steps[name].action is Action.BUILD}
    took = _durations(opened)
    works = [
        Work(
            name,
            tuple(parent for parent in opened.graph.parents[name] if parent in stale),
            took.get(name, 0.0),
        )
        for name in opened.graph.images
        if name in stale
    ]
    return spread(works, bounds)


def _planned(opened: Opened, options: BuildOptions) -> Planned:
    return (
        plan(opened, options) if options.asking is Asking.NOT else plan_foreseeing(opened, options)
    )


def _durations(opened: Opened) -> dict[str, float]:
    """Return how long each image took when it was last built, over all its platforms."""
    took: dict[str, dict[str, float]] = {}
    wanted = Wanted(kinds=frozenset({Kind.BUILD}), limit=_RUNS_READ)
    for run in History(opened.paths.database).find(wanted):
        for image in run.images:
            if image.status == Status.BUILT.value:
                took.setdefault(image.name, {}).setdefault(image.platform, image.duration_s)
    return {name: sum(platforms.values()) for name, platforms in took.items()}
