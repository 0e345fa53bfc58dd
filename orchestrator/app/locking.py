"""`orch lock`: what is wired together to resolve and to check."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.app.opened import archive_of, open_workspace, read_lock, uv_of
from orchestrator.lockfile import Lock

if TYPE_CHECKING:
    from orchestrator.model import LockedWheel
    from orchestrator.resolve.python.uv import DistributionFile, Target


@dataclass(frozen=True, slots=True)
class LockWritten:
    """What `orch lock` did: lines that changed, notes for a person, images left out."""

    changes: tuple[str, ...]
    notes: tuple[str, ...]
    unavailable: tuple[str, ...]
    summary: str


def lock(
    directory: Path,
    *,
    upgrade: bool = False,
    packages: Collection[str] = (),
    dry_run: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> LockWritten:
    """Resolve the workspace and write its lock.

    Raises:
        OrchError: It cannot be resolved; the lock is as it was.
    """
    from orchestrator.atomic import write_text  # noqa: PLC0415 - used by this verb alone
    from orchestrator.fetch import Downloads  # noqa: PLC0415 - likewise
    from orchestrator.lockfile import format_lock  # noqa: PLC0415 - likewise
    from orchestrator.resolve.lock import Sources, Upgrade, resolve_lock  # noqa: PLC0415
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
    moving = Upgrade(everything=upgrade and not packages, packages=packages)
    resolution = resolve_lock(opened.workspace, opened.graph, sources, previous, moving)
    if not dry_run:
        write_text(opened.paths.lock, format_lock(resolution.lock), sync=True)
    return _written(previous, resolution.lock, resolution.notes)


def _written(previous: Lock, new: Lock, notes: list[str]) -> LockWritten:
    before, after = _versions(previous), _versions(new)
    changes = (
        []
        if not before
        else [
            f"{name} {before.get((name, platform), '(none)')} -> "
            f"{after.get((name, platform), '(none)')} ({platform})"
            for name, platform in sorted(before.keys() | after.keys())
            if before.get((name, platform)) != after.get((name, platform))
        ]
    )
    unavailable = tuple(name for (name, _), adds in new.images.items() if adds.unavailable)
    images = len({name for name, _ in new.images})
    debs = {deb for adds in new.images.values() for deb in adds.debs}
    wheels = {wheel for adds in new.images.values() for wheel in adds.wheels}
    summary = f"locked {images} images: {len(debs)} Debian packages and {len(wheels)} Python files"
    return LockWritten(tuple(changes), tuple(notes), unavailable, summary)


def _versions(lock: Lock) -> dict[tuple[str, str], str]:
    versions: dict[tuple[str, str], str] = {}
    for (_, platform), adds in lock.images.items():
        versions |= {(deb.name, platform.key): deb.version for deb in adds.debs}
        versions |= {(wheel.name, platform.key): wheel.version for wheel in adds.wheels}
    return versions


def check_locked(directory: Path) -> None:
    """Make sure that the lock answers what the workspace asks for.

    Raises:
        LockError: It does not.
    """
    from orchestrator.resolve.inputs import check_lock  # noqa: PLC0415 - slow to import

    opened = open_workspace(directory)
    locked = read_lock(opened)
    for platform in opened.workspace.settings.platforms:
        check_lock(opened.workspace, opened.graph, locked, platform)
