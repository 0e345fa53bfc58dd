"""`orch lock`: what is wired together to resolve and to upgrade."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.app.opened import archive_of, open_workspace, read_lock, uv_of
from orchestrator.lockfile import Lock

if TYPE_CHECKING:
    from orchestrator.model import LockedWheel
    from orchestrator.resolve.python.uv import DistributionFile, Target
    from orchestrator.resolve.upgrading import Move


@dataclass(frozen=True, slots=True)
class LockWritten:
    """What `orch lock` did: versions that moved, notes for a person, images left out."""

    moves: tuple[Move, ...]
    notes: tuple[str, ...]
    unavailable: tuple[str, ...]
    summary: str


def lock(
    directory: Path,
    *,
    upgrade: bool = False,
    packages: Sequence[str] = (),
    dry_run: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> LockWritten:
    """Resolve the workspace and write its lock.

    `packages`, each `NAME` or `NAME==VERSION`, are to move; with `upgrade` and none, all are.

    Raises:
        WorkspaceError: No image holds or asks for one of `packages`.
        OrchError: It cannot be resolved; the lock is as it was.
    """
    from orchestrator.atomic import write_text  # noqa: PLC0415 - used by this verb alone
    from orchestrator.fetch import Downloads  # noqa: PLC0415 - likewise
    from orchestrator.lockfile import format_lock  # noqa: PLC0415 - likewise
    from orchestrator.resolve.lock import Sources, Upgrade, resolve_lock  # noqa: PLC0415
    from orchestrator.resolve.upgrading import (  # noqa: PLC0415
        explain_stays,
        find_moves,
        read_upgrade,
    )
    from orchestrator.wheelhouse.locate import WheelPlaces, measure_files  # noqa: PLC0415
    from orchestrator.wheelhouse.sdist import read_build_requires  # noqa: PLC0415

    opened = open_workspace(directory)
    previous = read_lock(opened) if opened.paths.lock.exists() else Lock()
    uv = uv_of(opened)
    places = WheelPlaces(opened.paths.wheel_places, uv)

    def measure(files: Iterable[DistributionFile]) -> Mapping[str, int]:
        places.remember(files)
        return measure_files(files)

    def read_requires(sdist: LockedWheel, target: Target) -> tuple[str, ...]:
        wanted = WheelPlaces(opened.paths.wheel_places, uv, lambda: [(target, sdist)])
        with closing(Downloads(opened.paths.downloads, jobs=1)) as downloads:
            file = downloads.start(wanted.artifact(sdist)).result()
        return read_build_requires(file, sdist.file)

    sources = Sources(archive_of(opened), uv, measure, progress, read_requires)
    moving = read_upgrade(opened.workspace, opened.graph, previous, packages)
    if upgrade and not packages:
        moving = Upgrade(everything=True)
    resolution = resolve_lock(opened.workspace, opened.graph, sources, previous, moving)
    if not dry_run:
        write_text(opened.paths.lock, format_lock(resolution.lock), sync=True)
    stays = explain_stays(opened.workspace, previous, resolution.lock, moving)
    moves = find_moves(previous, resolution.lock) if previous.images else ()
    return _written(resolution.lock, moves, (*resolution.notes, *stays))


def _written(new: Lock, moves: tuple[Move, ...], notes: tuple[str, ...]) -> LockWritten:
    unavailable = tuple(name for (name, _), adds in new.images.items() if adds.unavailable)
    images = len({name for name, _ in new.images})
    debs = {deb for adds in new.images.values() for deb in adds.debs}
    wheels = {wheel for adds in new.images.values() for wheel in adds.wheels}
    summary = f"locked {images} images: {len(debs)} Debian packages and {len(wheels)} Python files"
    return LockWritten(moves, notes, unavailable, summary)
