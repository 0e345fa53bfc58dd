"""What the assembler works with: packages as things to fetch, from this machine's sources."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from orchestrator.app.opened import Opened, archive_of, uv_of
from orchestrator.app.planning import Planned
from orchestrator.engines.assembler.segments import Materials
from orchestrator.errors import UnavailableError
from orchestrator.lockfile import Lock
from orchestrator.model import LockedWheel, Platform
from orchestrator.resolve.builds import targets_of
from orchestrator.resolve.python.offered import Target
from orchestrator.supply import Artifact
from orchestrator.wheelhouse.locate import WheelPlaces, deb_artifact
from orchestrator.wheelhouse.workshop import Workshop


def of(planned: Planned, *, offline: bool, workshop: Workshop | None = None) -> Materials:
    """Return the materials of a plan; without a workshop nothing is built."""
    opened = planned.opened
    archive = archive_of(opened)
    names = [name for name in planned.plan.steps if name in opened.graph.locked]
    wheels = wheel_artifacts(
        opened, planned.lock, planned.platform, names, offline=offline, workshop=workshop
    )
    dates = planned.lock.release_dates
    return Materials(planned.files, lambda deb: deb_artifact(deb, archive, dates), wheels)


def wheel_artifacts(
    opened: Opened,
    lock: Lock,
    platform: Platform,
    names: Collection[str],
    *,
    offline: bool,
    workshop: Workshop | None = None,
) -> Callable[[LockedWheel], Artifact]:
    """Return what gives the wheels of images as things to fetch.

    What no index has comes from the shared places, else from the workshop.
    """
    places = WheelPlaces(
        opened.paths.wheel_places,
        uv_of(opened, offline=offline),
        lambda: _from_indexes(opened, lock, platform, names),
    )
    targets = targets_of(lock, opened.graph, platform) if lock.builds else {}

    def artifact(wheel: LockedWheel) -> Artifact:
        build = lock.build_of(wheel, platform) if wheel.is_wheel else None
        if build is None:
            return places.artifact(wheel)
        if workshop is None:
            return Artifact(
                wheel.file,
                wheel.sha256,
                wheel.size_bytes,
                lambda: _unbuilt(wheel),
                is_shared=True,
            )
        return workshop.artifact(build, wheel, targets[wheel])

    return artifact


def source_artifacts(
    opened: Opened, lock: Lock, platform: Platform, *, offline: bool
) -> Callable[[LockedWheel], Artifact]:
    """Return what gives sdists, and what building them needs, as things to fetch."""

    def wanted() -> Iterator[tuple[Target, LockedWheel]]:
        targets = targets_of(lock, opened.graph, platform)
        for build in lock.builds:
            target = targets.get(build.wheel or build.sdist)
            if build.platform == platform and target is not None:
                yield target, build.sdist
                for item in build.requires:
                    yield target, item

    uv = uv_of(opened, offline=offline)
    return WheelPlaces(opened.paths.wheel_places, uv, wanted).artifact


def _from_indexes(
    opened: Opened, lock: Lock, platform: Platform, names: Collection[str]
) -> Iterator[tuple[Target, LockedWheel]]:
    """Yield every wheel of images that an index should have, with what it was locked for."""
    targets = targets_of(lock, opened.graph, platform)
    for name in names:
        for wheel in lock.image(name, platform).wheels:
            if lock.build_of(wheel, platform) is None:
                yield targets[wheel], wheel


def _unbuilt(wheel: LockedWheel) -> Sequence[str]:
    raise UnavailableError(
        f"no index has {wheel.file}, which is built from source, and no shared place gives it",
        hint="run: orch wheels",
    )
