"""Bringing wheels to shared levels, and from them and the indexes to this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from orchestrator import logs
from orchestrator.errors import OrchError
from orchestrator.fetch import Downloads
from orchestrator.levels import Level, Levels
from orchestrator.model import LockedWheel
from orchestrator.supply import Artifact

_UPLOADS = 4


class Status(Enum):
    """What came of one wheel."""

    PUSHED = "pushed"
    THERE = "there"
    ABSENT = "absent"
    HERE = "here"
    FETCHED = "fetched"
    BUILT = "built"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Moved:
    """A wheel and what came of it; `place` is the level, or the host that it came from."""

    wheel: LockedWheel
    status: Status
    place: str = ""
    error: OrchError | None = None


def push_wheels(
    level: Level,
    wheels: Sequence[LockedWheel],
    path_of: Callable[[str], Path],
    *,
    force: bool = False,
    dry_run: bool = False,
) -> list[Moved]:
    """Upload what a level lacks, or has in another size; with `force` all that is on this machine.

    Only a file whose bytes are those of the lock goes up. `path_of` gives where one lies here.

    Raises:
        LevelError: The level is out of reach or refuses; what went up before stays.
    """
    sizes = {} if force else level.sizes([wheel.sha256 for wheel in wheels])

    def push(wheel: LockedWheel) -> Moved:
        file = path_of(wheel.sha256)
        if sizes.get(wheel.sha256) in {wheel.size_bytes, _size_of(file)}:
            return Moved(wheel, Status.THERE, level.name)
        if not _is_whole(file, wheel.sha256):
            return Moved(wheel, Status.ABSENT, level.name)
        if not dry_run:
            level.put(wheel.sha256, file, wheel.file)
            logs.event("wheel.pushed", file=wheel.file, level=level.name)
        return Moved(wheel, Status.PUSHED, level.name)

    with ThreadPoolExecutor(_UPLOADS, thread_name_prefix="push") as pool:
        begun = [pool.submit(push, wheel) for wheel in wheels]
        try:
            return [future.result() for future in begun]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def pull_wheels(
    downloads: Downloads,
    wheels: Sequence[LockedWheel],
    artifact_of: Callable[[LockedWheel], Artifact],
) -> list[Moved]:
    """Bring wheels to this machine, and check those that are; one that fails keeps no other."""
    begun = [(wheel, downloads.start(artifact_of(wheel))) for wheel in wheels]
    return [_settle(wheel, future, downloads.sources) for wheel, future in begun]


def plan_pull(
    downloads: Downloads,
    wheels: Sequence[LockedWheel],
    artifact_of: Callable[[LockedWheel], Artifact],
    levels: Levels,
) -> list[Moved]:
    """Return what `pull_wheels` would do; what no level has, the indexes are asked for."""
    is_here = {wheel: downloads.has(artifact_of(wheel)) for wheel in wheels}
    found = levels.find([wheel.sha256 for wheel in wheels if not is_here[wheel]])
    return [
        Moved(wheel, Status.HERE)
        if is_here[wheel]
        else Moved(wheel, Status.FETCHED, found.get(wheel.sha256, ""))
        for wheel in wheels
    ]


def _settle(wheel: LockedWheel, future: Future[Path], sources: Mapping[str, str]) -> Moved:
    try:
        future.result()
    except OrchError as error:
        return Moved(wheel, Status.FAILED, error=error)
    source = sources.get(wheel.sha256)
    return Moved(wheel, Status.HERE) if source is None else Moved(wheel, Status.FETCHED, source)


def _size_of(file: Path) -> int:
    """Return a file's size, -1 where there is none."""
    try:
        return file.stat().st_size
    except OSError:
        return -1


def _is_whole(file: Path, sha256: str) -> bool:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == sha256
    except OSError:
        return False
