"""`orch wheels list`, `gc` and `why`: what is kept of wheels on this machine, and what for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.app.opened import Opened, read_lock
from orchestrator.errors import OrchError, WorkspaceError
from orchestrator.lockfile import Lock
from orchestrator.model import LockedWheel, Platform
from orchestrator.usage import alone_in
from orchestrator.wheelhouse.kept import Kept, Store, choose_unwanted
from orchestrator.wheelhouse.why import Why, differences


@dataclass(frozen=True, slots=True)
class Unwanted:
    """What is to go: see `choose_unwanted`."""

    older_than_s: float | None = None
    max_bytes: int | None = None
    unlocked: bool = False
    even_locked: bool = False
    dry_run: bool = False


def list_kept(opened: Opened, *, verify: bool = False) -> tuple[list[Kept], list[Kept]]:
    """Return what is kept, and what was damaged and is thrown away; that is looked for if asked."""
    store = store_of(opened)
    kept = store.kept(_locked(opened))
    damaged = store.damaged(kept) if verify else []
    store.remove(damaged)
    return [item for item in kept if item not in damaged], damaged


def collect_unwanted(opened: Opened, unwanted: Unwanted) -> tuple[list[Kept], list[Kept]]:
    """Let go of what is unwanted; return what went, and what stays.

    Raises:
        WorkspaceError: It is not said what is unwanted.
        OrchError: A run is at work with the cache.
    """
    if not unwanted.unlocked and unwanted.older_than_s is None and unwanted.max_bytes is None:
        raise WorkspaceError(
            "nothing says which wheels may go",
            hint="give --unlocked, --older-than 30d or --max-size 5GB",
        )
    store = store_of(opened)
    kept = store.kept(_locked(opened))
    going = choose_unwanted(
        kept,
        time.time(),
        older_than_s=unwanted.older_than_s,
        max_bytes=unwanted.max_bytes,
        unlocked=unwanted.unlocked,
        even_locked=unwanted.even_locked,
    )
    if not unwanted.dry_run:
        _remove(opened, store, going)
    return going, [item for item in kept if item not in going]


def _remove(opened: Opened, store: Store, going: list[Kept]) -> None:
    """Let go of files, where no run may be about to read them.

    Raises:
        OrchError: A run is at work.
    """
    with alone_in(opened.paths.cache) as is_free:
        if not is_free:
            raise OrchError(
                "a run is at work with the cache; nothing was removed",
                hint="try again when it has ended",
            )
        store.remove(going)


def explain_wheel(opened: Opened, name: str) -> list[Why]:
    """Return what is known of a project's files in the lock, one for each and platform.

    Raises:
        WorkspaceError: The lock has no such project.
    """
    lock = read_lock(opened)
    store = store_of(opened)
    images: dict[tuple[LockedWheel, Platform], list[str]] = {}
    for (image, platform), adds in sorted(lock.images.items()):
        for wheel in adds.wheels:
            if wheel.name == name:
                images.setdefault((wheel, platform), []).append(image)
    if not images:
        raise WorkspaceError(
            f"the lock has no Python project {name}", hint="orch wheels list shows what is kept"
        )
    records = [record for record in store.records() if record.name == name]
    found = []
    for (wheel, platform), holders in images.items():
        build = lock.build_of(wheel, platform)
        before = [(record, differences(record, build)) for record in records if build is not None]
        is_here = store.path(wheel.sha256).is_file()
        found.append(Why(wheel, platform, tuple(holders), build, is_here, tuple(before)))
    return found


def store_of(opened: Opened) -> Store:
    """Return what this machine keeps."""
    paths = opened.paths
    return Store(paths.downloads, paths.wheelhouse / "built", paths.wheel_places)


def _locked(opened: Opened) -> dict[str, str]:
    """Return the names, by sha256, of all that the lock reaches: what builds need too."""
    lock = read_lock(opened) if opened.paths.lock.is_file() else Lock()
    return {wheel.sha256: wheel.file for wheel in reached_wheels(lock)}


def reached_wheels(lock: Lock) -> Iterator[LockedWheel]:
    """Yield the wheels that a lock names, and the sdists and wheels that builds of it need."""
    for adds in lock.images.values():
        yield from adds.wheels
    for build in lock.builds:
        yield build.sdist
        yield from build.requires
