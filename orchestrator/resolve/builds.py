"""What building a wheel from an sdist needs, pinned: so that it can be built again, and alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from orchestrator.errors import LockError, OrchError, ResolutionError
from orchestrator.graph import Graph
from orchestrator.lockfile import Lock
from orchestrator.model import LockedWheel, Platform, Settings, WheelBuild, WheelSettings
from orchestrator.resolve.python.offered import DistributionFile, Target
from orchestrator.resolve.python.tags import choose_file, rank_of
from orchestrator.resolve.python.uv import Uv
from orchestrator.resolve.target import target_of_image

ReadRequires = Callable[[LockedWheel, Target], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class BuildSources:
    """Where build requirements come from.

    `read_requires` gives what an sdist itself asks for (PEP 518), `measure` the size of a file
    that has none.
    """

    uv: Callable[[], Uv]
    measure: Callable[[Iterable[DistributionFile]], Mapping[str, int]]
    read_requires: ReadRequires


def settings_digest(settings: Settings, project: str) -> str:
    """Return the digest of what the settings ask of a project's build.

    The values of variables count and cannot be read from it.
    """
    asked = settings.wheels.get(project, WheelSettings())
    inputs = {
        "python": settings.python.version,
        "system": sorted(asked.system),
        "requires": sorted(asked.requires),
        "env": dict(asked.env),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


def check_builds(settings: Settings, lock: Lock, platform: Platform) -> None:
    """Make sure that the settings ask of builds what they did when these were pinned.

    Raises:
        LockError: They do not.
    """
    behind = [
        f"[wheels.{build.name}]"
        for build in lock.builds
        if build.platform == platform and build.settings != settings_digest(settings, build.name)
    ]
    if behind:
        shown = ", ".join(dict.fromkeys(behind))
        raise LockError(f"orch.lock is behind what is asked for by: {shown}", hint="run: orch lock")


def targets_of(lock: Lock, graph: Graph, platform: Platform) -> dict[LockedWheel, Target]:
    """Return what each wheel and sdist must fit: the oldest C library among its images'."""
    found: dict[LockedWheel, Target] = {}
    debs = {name: adds.debs for (name, on), adds in lock.images.items() if on == platform}
    for name in graph.locked:
        if name not in debs:
            continue
        target = target_of_image(graph, name, platform, debs)
        for wheel in lock.images[name, platform].wheels:
            known = found.get(wheel)
            found[wheel] = target if known is None else min(known, target, key=lambda t: t.glibc)
    return found


def pin_builds(
    lock: Lock,
    graph: Graph,
    settings: Settings,
    previous: Lock,
    sources: BuildSources,
    moves: Callable[[str], bool],
) -> tuple[Lock, list[str]]:
    """Return a lock whose sdists have all that building them needs, and notes for a person.

    What the previous lock says of an sdist is taken over, the wheel that was built of it too,
    unless the settings ask for something else now or the project `moves`. What cannot be pinned
    is noted: its images are unavailable, and all others are locked.
    """
    builds: list[WheelBuild] = []
    notes = _of_several_pythons(lock)
    for platform in sorted({locked_for for _, locked_for in lock.images}):
        for wheel, target in targets_of(lock, graph, platform).items():
            before = previous.build_of(wheel, platform)
            if wheel.is_wheel and (before is None or wheel != before.wheel):
                continue
            sdist = before.sdist if before else wheel
            digest = settings_digest(settings, sdist.name)
            if before and before.settings == digest and not moves(sdist.name):
                builds.append(_fitting(before, target))
                continue
            try:
                new = _pin(lock, settings, sources, sdist, target)
            except OrchError as error:
                notes.append(
                    f"what building {sdist.name} {sdist.version} for {platform} needs "
                    f"cannot be pinned: {error.in_a_line}"
                )
                continue
            builds.append(_fitting(_with_wheel_of(new, before), target))
    # The images may hold wheels that the previous lock built: they become sdists first.
    return replace(lock, builds=previous.builds).with_builds(builds), notes


def _of_several_pythons(lock: Lock) -> list[str]:
    """Return notes of sdists that images of several Pythons want: each is built for one."""
    pythons: dict[LockedWheel, set[str]] = {}
    for adds in lock.images.values():
        for file in adds.wheels:
            if not file.is_wheel:
                pythons.setdefault(file, set()).add(adds.python or lock.python)
    return [
        f"{file.name} {file.version} comes as source only, and images of Python "
        f"{' and '.join(sorted(wanted))} want it; it is built for one of them"
        for file, wanted in pythons.items()
        if len(wanted) > 1
    ]


def _with_wheel_of(new: WheelBuild, before: WheelBuild | None) -> WheelBuild:
    """Keep the wheel that was built before if all that it is made from is the same."""
    if before is None:
        return new
    kept = replace(new, wheel=before.wheel, compiler=before.compiler)
    return kept if kept == before else new


def _fitting(build: WheelBuild, target: Target) -> WheelBuild:
    """Forget a wheel that the images cannot load any more."""
    if build.wheel is not None and rank_of(build.wheel.file, target) is None:
        return replace(build, wheel=None, compiler="")
    return build


def _pin(
    lock: Lock, settings: Settings, sources: BuildSources, sdist: LockedWheel, target: Target
) -> WheelBuild:
    asked = settings.wheels.get(sdist.name, WheelSettings())
    lines = [*sources.read_requires(sdist, target), *asked.requires]
    pins = sources.uv().compile_pins(lines, (), target) if lines else {}
    return WheelBuild(
        sdist,
        target.platform,
        _files_of(lock, sources, pins, target),
        tuple(sorted(asked.system)),
        tuple(sorted(asked.env)),
        settings_digest(settings, sdist.name),
    )


def _files_of(
    lock: Lock, sources: BuildSources, pins: Mapping[str, str], target: Target
) -> tuple[LockedWheel, ...]:
    """Choose a wheel for each pin; one that an image holds too is the same file for both."""
    wanted = {str(canonicalize_name(name)): version for name, version in pins.items()}
    held = {
        (wheel.name, wheel.version): wheel
        for (_, platform), adds in lock.images.items()
        if platform == target.platform
        for wheel in adds.wheels
        if wheel.is_wheel
    }
    missing = {name: pin for name, pin in wanted.items() if (name, pin) not in held}
    offered = sources.uv().find_files(missing, target) if missing else {}
    chosen = {name: choose_file(offered.get(name, ()), target) for name in missing}
    sizes = sources.measure([file for file in chosen.values() if file])
    files = []
    for name, version in sorted(wanted.items()):
        file = chosen.get(name)
        if (name, version) in held:
            files.append(held[name, version])
        elif file is None or not file.file.endswith(".whl"):
            raise ResolutionError(
                f"{name} {version}, which it needs, comes as source only",
                hint=f"name a version of {name} with wheels in requires under [wheels.NAME]",
            )
        else:
            size = file.size_bytes or sizes.get(file.url, 0)
            files.append(LockedWheel(name, version, file.file, file.sha256, size))
    return tuple(files)


def requires_of(pyproject: Mapping[str, object]) -> tuple[str, ...]:
    """Return what an sdist's `pyproject.toml` asks for to be built; setuptools by default.

    Source: PEP 518, "build-system table"; PEP 517 on sdists without one.

    Raises:
        ValueError: The table is not as PEP 518 has it.
    """
    table = pyproject.get("build-system", {})
    lines = table.get("requires", ["setuptools"]) if isinstance(table, Mapping) else None
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise ValueError("build-system.requires is no list of requirements")
    return tuple(str(Requirement(line)) for line in lines)
