"""Images spread over jobs: tier by tier, balanced by how long they took before."""

from __future__ import annotations

import heapq
import statistics
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

UNKNOWN_S = 60.0
"""What an image is taken to cost where no image was ever built."""

WORTH_S = 60.0
"""A job that has less to do than this is not worth a machine."""


@dataclass(frozen=True, slots=True)
class Work:
    """An image to be built; `parents` are those that are to be built too, 0 s is not known."""

    image: str
    parents: tuple[str, ...] = ()
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Batch:
    """What one job builds, in this order; `needs` are the batches with parents of its images."""

    name: str
    tier: int
    images: tuple[str, ...]
    duration_s: float
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a host of CI allows: jobs at once, jobs in all, and jobs that one can wait for."""

    jobs: int
    total: int
    needs: int


def spread(works: Sequence[Work], bounds: Bounds) -> tuple[Batch, ...]:
    """Put each image into one batch, so that the last job of each tier ends early.

    `works` come in topological order. An image is in the first tier that its parents allow; with
    one job at once, which need not wait for others, all are in one batch. Within a tier the
    longest goes first to whoever is free first (Graham, "Bounds on Multiprocessing Timing
    Anomalies": at most 4/3 of the best), over no more jobs than make the tier faster. Equal input
    gives equal batches.
    """
    durations = _durations(works)
    tiers = _tiers(works, apart=bounds.jobs > 1)
    most = min(bounds.jobs, bounds.total)
    fewer = _least(
        most - 1, lambda fewer: _fits(_batches(works, tiers, durations, most - fewer), bounds)
    )
    return _batches(works, tiers, durations, most - fewer)


def _durations(works: Sequence[Work]) -> dict[str, float]:
    known = [work.duration_s for work in works if work.duration_s > 0]
    usual = statistics.median(known) if known else UNKNOWN_S
    return {work.image: work.duration_s if work.duration_s > 0 else usual for work in works}


def _tiers(works: Sequence[Work], *, apart: bool) -> list[list[str]]:
    tier_of: dict[str, int] = {}
    tiers: list[list[str]] = []
    for work in works:
        tier = 1 + max((tier_of[name] for name in work.parents), default=-1) if apart else 0
        tier_of[work.image] = tier
        tiers += [[]] if tier == len(tiers) else []
        tiers[tier].append(work.image)
    return tiers


def _fits(batches: Sequence[Batch], bounds: Bounds) -> bool:
    most = max((len(batch.needs) for batch in batches), default=0)
    return len(batches) <= bounds.total and most <= bounds.needs


def _batches(
    works: Sequence[Work], tiers: Sequence[Sequence[str]], durations: Mapping[str, float], jobs: int
) -> tuple[Batch, ...]:
    parents = {work.image: work.parents for work in works}
    batches: list[Batch] = []
    home: dict[str, str] = {}
    for tier, images in enumerate(tiers):
        for number, share in enumerate(_share(images, durations, jobs)):
            name = f"{tier}-{number}"
            needs = {home[parent] for image in share for parent in parents[image] if parent in home}
            took = round(sum(durations[image] for image in share), 3)
            ordered = tuple(sorted(needs, key=_place))
            batches.append(Batch(name, tier, tuple(share), took, ordered))
        home |= {image: batch.name for batch in batches for image in batch.images}
    return tuple(batches)


def _place(name: str) -> tuple[int, ...]:
    return tuple(map(int, name.split("-")))


def _share(images: Sequence[str], durations: Mapping[str, float], jobs: int) -> list[list[str]]:
    """Return the images of each job; as few jobs as are as fast, or as are done in no time."""
    most = min(jobs, len(images))
    enough_s = max(WORTH_S, _longest(_deal(images, durations, most), durations))
    fewest = 1 + _least(
        most - 1, lambda more: _longest(_deal(images, durations, 1 + more), durations) <= enough_s
    )
    return _deal(images, durations, fewest)


def _least(most: int, will_do: Callable[[int], bool]) -> int:
    """Return the least number from 0 on that will do, and `most` where none below it does."""
    return bisect_left(range(most), 1, key=lambda number: int(will_do(number)))


def _longest(shares: Sequence[Sequence[str]], durations: Mapping[str, float]) -> float:
    return max(sum(durations[image] for image in share) for share in shares)


def _deal(images: Sequence[str], durations: Mapping[str, float], jobs: int) -> list[list[str]]:
    """Deal images to jobs, the longest first, each to the job with the least to do."""
    order = {image: number for number, image in enumerate(images)}
    free = [(0.0, number) for number in range(jobs)]
    shares: list[list[str]] = [[] for _ in range(jobs)]
    for image in sorted(images, key=lambda image: (-durations[image], order[image])):
        busy_s, number = heapq.heappop(free)
        shares[number].append(image)
        heapq.heappush(free, (busy_s + durations[image], number))
    return [sorted(share, key=order.__getitem__) for share in shares]
