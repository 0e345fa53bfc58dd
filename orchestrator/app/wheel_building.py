"""Building what no index has a wheel of: opening the workshop, and the lock's record of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from orchestrator.app.materials import source_artifacts
from orchestrator.app.opened import Opened, read_lock, writing_lock
from orchestrator.app.sharing import levels_of
from orchestrator.atomic import write_text
from orchestrator.errors import InterruptedByUserError, OrchError
from orchestrator.fetch import Downloads
from orchestrator.lockfile import Lock
from orchestrator.lockwriting import format_lock
from orchestrator.model import LockedWheel, Platform, WheelBuild
from orchestrator.resolve.builds import targets_of
from orchestrator.wheelhouse.host import HostPlace
from orchestrator.wheelhouse.places import BuildIn, BuildPlace
from orchestrator.wheelhouse.workshop import Places, Workshop

_MATERIAL_JOBS = 4


@dataclass(slots=True)
class BuiltWheels:
    """What came of building: the lock with what was built, and why others were not, by sdist."""

    lock: Lock
    built: list[WheelBuild] = field(default_factory=list)
    failures: dict[LockedWheel, OrchError] = field(default_factory=dict)


def open_workshop(
    opened: Opened,
    lock: Lock,
    platform: Platform,
    resources: ExitStack,
    say: Callable[[str], None] = lambda _: None,
    *,
    offline: bool = False,
    build_in: BuildIn = BuildIn.AUTO,
) -> Workshop:
    """Return a workshop for the sdists of a lock; `resources` closes it."""
    paths = opened.paths
    materials = Downloads(
        paths.downloads,
        jobs=_MATERIAL_JOBS,
        offline=offline,
        levels=levels_of(opened, offline=offline),
    )
    resources.callback(materials.close)
    artifact = source_artifacts(opened, lock, platform, offline=offline)
    places: list[BuildPlace] = []
    if build_in is not BuildIn.CONTAINER:
        places.append(HostPlace())
    if build_in is not BuildIn.HOST:
        from orchestrator.app.wheel_containers import container_place  # noqa: PLC0415 - slow

        places.append(container_place(opened, lock, materials, artifact, resources, say))
    return Workshop(
        Places(paths.wheelhouse, paths.wheel_logs, paths.root),
        materials,
        artifact,
        opened.workspace.settings.wheels,
        say,
        places,
    )


def build_sdists(
    opened: Opened,
    lock: Lock,
    builds: Sequence[WheelBuild],
    workshop: Workshop,
    jobs: int,
    *,
    anew: Collection[str] = (),
) -> BuiltWheels:
    """Build sdists, several at once, and write into the lock what they gave.

    What fails stops no other. Projects that are `anew` are built though they were before.

    Raises:
        InterruptedByUserError: The user asked to stop; what was built until then is kept.
    """
    result = BuiltWheels(lock)
    if not builds:
        return result
    targets = {on: targets_of(lock, opened.graph, on) for on in {b.platform for b in builds}}

    def make(build: WheelBuild) -> WheelBuild | OrchError:
        try:
            target = targets[build.platform][build.wheel or build.sdist]
            return workshop.make(build, target, anew=build.name in anew)
        except OrchError as error:
            return error

    with ThreadPoolExecutor(min(jobs, len(builds)), thread_name_prefix="wheel") as pool:
        begun = [pool.submit(make, build) for build in builds]
        try:
            outcomes = [future.result() for future in begun]
        except KeyboardInterrupt:
            workshop.stop()
            raise
    for build, outcome in zip(builds, outcomes, strict=True):
        if isinstance(outcome, InterruptedByUserError):
            raise outcome
        if isinstance(outcome, OrchError):
            result.failures[build.sdist] = outcome
        else:
            result.built.append(outcome)
    if result.built:
        result.lock = record(opened, result.built)
    return result


def record(opened: Opened, built: Iterable[WheelBuild]) -> Lock:
    """Write into the lock what was built, and return the lock.

    Runs that write at the same time wait for each other, and keep what the other wrote.
    """
    by_sdist: Mapping[tuple[LockedWheel, Platform], WheelBuild] = {
        (build.sdist, build.platform): build for build in built
    }
    with writing_lock(opened):
        now = read_lock(opened)
        builds = [by_sdist.get((build.sdist, build.platform), build) for build in now.builds]
        lock = now.with_builds(builds)
        if lock != now:
            write_text(opened.paths.lock, format_lock(lock), sync=True)
    return lock


def changes(built: Iterable[WheelBuild], before: Lock) -> list[str]:
    """Return a line for each build that the lock did not record as it is now."""
    return [
        f"{build.title} ({build.platform}) is built: {build.wheel.file}"
        for build in built
        if build not in before.builds and build.wheel is not None
    ]
