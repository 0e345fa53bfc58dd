"""Who waited for whom in a build, and on which images its length hung."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.evidence.facts import Timing


def time_images(
    spans: Mapping[str, tuple[float, float]], parents: Mapping[str, Sequence[str]]
) -> dict[str, Timing]:
    """Return when images were built, for what each waited, and which the run hung on.

    `spans` has begin and duration, in seconds, of what was built; an image that was not built
    kept nobody waiting. The critical path leads from the image that was done last to what it
    waited for, and so on.
    """
    timings = {name: _timing(name, spans, parents) for name in spans}
    for name in critical_path(timings):
        timings[name] = replace(timings[name], is_critical=True)
    return timings


def critical_path(timings: Mapping[str, Timing]) -> tuple[str, ...]:
    """Return the images on which a run's length hung, in the order they were built."""
    path: list[str] = []
    name = max(timings, key=lambda one: timings[one].ended_s, default="")
    while name and name not in path:
        path.insert(0, name)
        name = timings[name].waited_for
    return tuple(path)


def _timing(
    name: str, spans: Mapping[str, tuple[float, float]], parents: Mapping[str, Sequence[str]]
) -> Timing:
    started_s, duration_s = spans[name]
    ends = {parent: sum(spans[parent]) for parent in parents[name] if parent in spans}
    last = max(ends, key=lambda one: ends[one], default="")
    waited_s = max(0.0, started_s - ends.get(last, 0.0))
    return Timing(started_s, duration_s, last, round(waited_s, 3))
