"""`orch wheels`: fetch every wheel that the lock names, and build what no index has."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.app.materials import wheel_artifacts
from orchestrator.app.opened import Opened, at_work, read_lock
from orchestrator.app.sharing import levels_of
from orchestrator.app.wheel_building import build_sdists, changes, open_workshop
from orchestrator.errors import OrchError, WorkspaceError
from orchestrator.fetch import Downloads
from orchestrator.lockfile import Lock
from orchestrator.model import LockedWheel, Platform, WheelBuild
from orchestrator.resolve.builds import check_builds
from orchestrator.resolve.inputs import check_lock
from orchestrator.supply import Artifact
from orchestrator.wheelhouse.places import BuildIn
from orchestrator.wheelhouse.shared_transfer import Moved, Status
from orchestrator.wheelhouse.workshop import Workshop

FETCH_JOBS = 8


@dataclass(frozen=True, slots=True)
class WheelOptions:
    """What to fetch and to build; `rebuild` names projects whose wheel is to be built anew."""

    platform: Platform
    jobs: int = FETCH_JOBS
    offline: bool = False
    dry_run: bool = False
    rebuild: tuple[str, ...] = ()
    build_in: BuildIn = BuildIn.AUTO


@dataclass(frozen=True, slots=True)
class Gathered:
    """What came of the wheels, sdists that could not be built among them."""

    moved: tuple[Moved, ...]
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def failed(self) -> list[Moved]:
        """Return what could not be had."""
        return [item for item in self.moved if item.error is not None]


@dataclass(slots=True)
class Said:
    """How a person is told of what is done; `settled` gets how many of how many are there."""

    say: Callable[[str], None] = lambda _: None
    settled: Callable[[int, int], None] = lambda *_: None
    fetched: Callable[[int], None] = field(default=lambda _: None)


@at_work
def gather_wheels(opened: Opened, options: WheelOptions, said: Said) -> Gathered:
    """Bring every wheel of the lock to this machine, and build what there is no wheel of.

    What was built is written into the lock. What fails keeps nothing else from being done.

    Raises:
        OrchError: The lock is missing or behind, or `rebuild` names what is not built.
    """
    lock = read_lock(opened)
    check_lock(opened.workspace, opened.graph, lock, options.platform)
    check_builds(opened.workspace.settings, lock, options.platform)
    builds = _to_build(lock, options)
    if options.dry_run:
        return _foresee(opened, lock, builds, options)
    with ExitStack() as resources:
        workshop = open_workshop(
            opened,
            lock,
            options.platform,
            resources,
            said.say,
            offline=options.offline,
            build_in=options.build_in,
        )
        jobs = min(options.jobs, os.cpu_count() or 1)
        result = build_sdists(opened, lock, builds, workshop, jobs, anew=options.rebuild)
        failed = [
            Moved(sdist, Status.FAILED, error=error) for sdist, error in result.failures.items()
        ]
        fetched, warnings = _fetch(opened, result.lock, options, workshop, said, resources)
    warnings = [*workshop.warnings, *warnings]
    return Gathered((*fetched, *failed), tuple(changes(result.built, lock)), tuple(warnings))


def wheels_of(lock: Lock, platform: Platform) -> list[LockedWheel]:
    """Return the wheels that the lock's images hold on a platform, by name."""
    found = {
        wheel
        for (_, locked_for), adds in lock.images.items()
        if locked_for == platform
        for wheel in adds.wheels
        if wheel.is_wheel
    }
    return sorted(found, key=lambda wheel: (wheel.name, wheel.version, wheel.file))


def _to_build(lock: Lock, options: WheelOptions) -> list[WheelBuild]:
    """Return what has no wheel yet, and what is to be built anew.

    Raises:
        WorkspaceError: A name is none of a project that is built.
    """
    mine = [build for build in lock.builds if build.platform == options.platform]
    names = {build.name for build in mine}
    if unknown := [name for name in options.rebuild if name not in names]:
        known = ", ".join(sorted(names)) or "none"
        raise WorkspaceError(
            f"{unknown[0]} is not built from source for {options.platform}",
            hint=f"those that are: {known}",
        )
    return [build for build in mine if build.wheel is None or build.name in options.rebuild]


def _fetch(
    opened: Opened,
    lock: Lock,
    options: WheelOptions,
    workshop: Workshop,
    said: Said,
    resources: ExitStack,
) -> tuple[list[Moved], list[str]]:
    levels = levels_of(opened, offline=options.offline)
    downloads = Downloads(
        opened.paths.downloads,
        jobs=options.jobs,
        offline=options.offline,
        on_bytes=said.fetched,
        levels=levels,
    )
    resources.callback(downloads.close)
    artifact = _artifacts(opened, lock, options, workshop)
    wheels = wheels_of(lock, options.platform)
    begun = {downloads.start(artifact(wheel)): wheel for wheel in wheels}
    moved: dict[LockedWheel, Moved] = {}
    try:
        for future in as_completed(begun):
            wheel = begun[future]
            moved[wheel] = _settle(wheel, future, downloads, workshop)
            said.settled(len(moved), len(begun))
    except KeyboardInterrupt:
        downloads.stop()
        workshop.stop()
        raise
    return [moved[wheel] for wheel in wheels], [*downloads.warnings, *levels.warnings]


def _settle(
    wheel: LockedWheel,
    future: Future[Path],
    downloads: Downloads,
    workshop: Workshop,
) -> Moved:
    try:
        future.result()
    except OrchError as error:
        return Moved(wheel, Status.FAILED, error=error)
    source = downloads.sources.get(wheel.sha256)
    if wheel.sha256 in workshop.built:
        return Moved(wheel, Status.BUILT)
    if source is None:
        return Moved(wheel, Status.HERE)
    return Moved(wheel, Status.FETCHED, source)


def _artifacts(
    opened: Opened, lock: Lock, options: WheelOptions, workshop: Workshop | None
) -> Callable[[LockedWheel], Artifact]:
    names: Collection[str] = [name for name, on in lock.images if on == options.platform]
    return wheel_artifacts(
        opened, lock, options.platform, names, offline=options.offline, workshop=workshop
    )


def _foresee(
    opened: Opened, lock: Lock, builds: Sequence[WheelBuild], options: WheelOptions
) -> Gathered:
    """Return what would be done, by looking at what is on this machine."""
    downloads = Downloads(opened.paths.downloads)
    artifact = _artifacts(opened, lock, options, None)
    moved = [
        Moved(wheel, Status.HERE if downloads.has(artifact(wheel)) else Status.FETCHED)
        for wheel in wheels_of(lock, options.platform)
    ]
    downloads.close()
    return Gathered((*moved, *(Moved(build.sdist, Status.BUILT) for build in builds)))
