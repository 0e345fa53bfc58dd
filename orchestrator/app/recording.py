"""Builds, pushes and verifications that are over, as the history remembers them.

What cannot be remembered is told and fails nothing: the work is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator import logs
from orchestrator.errors import OrchError
from orchestrator.head import head_commit
from orchestrator.history import History, Kind, PastImage, PastRun, Result, Wanted
from orchestrator.paths import Paths
from orchestrator.ports import Outcome, Status
from orchestrator.settings import find_settings
from orchestrator.state import Cost, State

if TYPE_CHECKING:
    from orchestrator.app.building import BuildRun
    from orchestrator.app.opened import Opened

_UNTRIED = {Status.UNAVAILABLE, Status.SKIPPED, Status.CANCELLED}


def past_runs(directory: Path, wanted: Wanted) -> Iterator[PastRun]:
    """Return the runs of the workspace around a folder that are asked for, the last first.

    Raises:
        OrchError: There is no workspace, or its database cannot be read.
    """
    file, _ = find_settings(directory.resolve())
    return History(Paths.of(file.parent).database).find(wanted)


def remember(opened: Opened, past: PastRun) -> list[str]:
    """Write a run into the history; return what a person is told where that is impossible."""
    logs.event("run.finished", kind=past.kind.value, result=past.result.value)
    try:
        History(opened.paths.database).add(past, opened.workspace.settings.history)
    except OrchError as error:
        return [f"the {past.kind.value} is not in the history: {error}"]
    return []


def remember_build(run: BuildRun) -> list[str]:
    """Write a build into the history, as `remember` does."""
    opened, platform = run.planned.opened, run.planned.platform.key
    try:
        costs = State(opened.paths.database).costs(platform)
    except OrchError as error:
        return [f"the build is not in the history: {error}"]
    images = tuple(_past_image(outcome, costs) for outcome in run.outcomes.values())
    reused = [image for image in images if image.status == Status.REUSED.value]
    tried = sum(outcome.status not in _UNTRIED for outcome in run.outcomes.values())
    return remember(
        opened,
        PastRun(
            run.run,
            Kind.BUILD,
            run.started,
            round(run.duration_s, 3),
            _result(run),
            head_commit(opened.paths.root),
            round(len(reused) / tried, 4) if tried else None,
            round(sum(costs[image.name].duration_s for image in reused if image.name in costs), 3),
            _own_bytes(reused, costs, opened.graph.below),
            images,
        ),
    )


def _past_image(outcome: Outcome, costs: Mapping[str, Cost]) -> PastImage:
    step, made = outcome.step, outcome.made
    known = Cost()
    if outcome.status is Status.REUSED:
        known = costs.get(step.image.name, known)
    return PastImage(
        step.image.name,
        step.platform.key,
        outcome.status.value,
        outcome.because,
        step.fingerprint.digest,
        outcome.digest,
        made.size_bytes if made else known.size_bytes,
        made.unpacked_bytes if made else known.unpacked_bytes,
        round(outcome.duration_s, 3),
        outcome.attempts,
    )


def _result(run: BuildRun) -> Result:
    statuses = {outcome.status for outcome in run.outcomes.values()}
    if run.was_interrupted:
        return Result.INTERRUPTED
    if statuses & {Status.FAILED, Status.SKIPPED}:
        return Result.FAILED
    if Status.CANCELLED in statuses:
        return Result.INTERRUPTED
    return Result.DONE if Status.BUILT in statuses else Result.UNCHANGED


def _own_bytes(
    images: Iterable[PastImage], costs: Mapping[str, Cost], below: Mapping[str, str]
) -> int:
    """Return what images weigh beyond those that their layers begin with.

    So that layers which many images share count once. An image counts nothing where one of the
    two sizes is not known.
    """
    total = 0
    for image in images:
        parent = below.get(image.name)
        beneath = costs.get(parent, Cost()).size_bytes if parent else 0
        if beneath or not parent:
            total += max(image.size_bytes - beneath, 0)
    return total
