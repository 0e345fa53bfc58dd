"""What is kept on this machine and may go, and which of it goes; values in, values out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Part(Enum):
    """A place that is looked through."""

    IMAGES = "images"
    LOGS = "logs"
    CACHE = "cache"
    DOCKER = "docker"


class Because(Enum):
    """Why something goes."""

    SUPERSEDED = "superseded"
    UNUSED = "unused"
    OVER_BUDGET = "over-budget"
    LEFT_OVER = "left-over"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, or a folder that goes as a whole; `used_s` is when it was last used, since 1970.

    `inode` and `links` tell what has other names elsewhere: it frees nothing until the last of
    them goes. What `is_wanted` stays; what is `left_over` was being made by a run that is gone.
    """

    path: Path
    size_bytes: int
    used_s: float
    inode: tuple[int, int] = (0, 0)
    links: int = 1
    is_wanted: bool = False
    left_over: bool = False


@dataclass(frozen=True, slots=True)
class Swept:
    """What came of a part: what went, or would go, and why; what stays.

    With `in_use` a run is at work there, and nothing went. `tags` went in Docker.
    """

    part: Part
    going: dict[Entry, Because]
    staying: Sequence[Entry] = ()
    in_use: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of a collection; `notes` are what a person should know of it."""

    parts: tuple[Swept, ...]
    notes: tuple[str, ...]
    dry_run: bool


def choose_unused(
    entries: Sequence[Entry], now_s: float, older_than_s: float, max_bytes: int | None
) -> dict[Entry, Because]:
    """Return what is to go, and why: what nobody used for long, then the oldest until all is small.

    `older_than_s` 0 is no limit. What has another name in a layout that stays goes by its age
    alone: it would free nothing.
    """
    going: dict[Entry, Because] = {}
    may_go = sorted((e for e in entries if not e.is_wanted), key=lambda e: (e.used_s, e.path))
    for entry in may_go:
        if entry.left_over:
            going[entry] = Because.LEFT_OVER
        elif older_than_s and entry.used_s < now_s - older_than_s:
            going[entry] = Because.UNUSED
    if max_bytes is None:
        return going
    left = total_bytes(entry for entry in entries if entry not in going)
    for entry in may_go:
        if left <= max_bytes:
            break
        if entry not in going and entry.links == 1:
            going[entry] = Because.OVER_BUDGET
            left -= entry.size_bytes
    return going


def total_bytes(entries: Iterable[Entry]) -> int:
    """Return what entries take on the disk: a file of several names counts once."""
    return sum({_identity(entry): entry.size_bytes for entry in entries}.values())


def freed_bytes(going: Iterable[Entry]) -> int:
    """Return what the disk has more of when entries are gone: files whose last name goes."""
    names = list(going)
    found = {_identity(entry): entry for entry in names}
    counts = Counter(map(_identity, names))
    return sum(one.size_bytes for key, one in found.items() if counts[key] >= one.links)


def _identity(entry: Entry) -> object:
    return entry.inode if entry.links > 1 else entry.path
