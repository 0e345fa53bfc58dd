"""The lock's rows of how wheels are built from sdists: `[[built]]` as text and as values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from orchestrator.model import LockedDeb, LockedWheel, Platform, WheelBuild

Package = TypeVar("Package", LockedDeb, LockedWheel)
_NAME = re.compile(r"[A-Za-z0-9][^/\\\x00-\x20]*")
FindWheel = Callable[[str, str, Platform], LockedWheel]


def checked(package: Package) -> Package:
    """Return a package of a lock, whose names become names of files.

    Raises:
        ValueError: One of them is no name, or its size is none.
    """
    for name in (package.name, package.version, package.file, package.sha256):
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a package or a file, and no digest")
    if not isinstance(package.size_bytes, int) or package.size_bytes < 0:
        raise ValueError(f"{package.name} has the size {package.size_bytes!r}")
    return package


def parse_builds(rows: Iterable[Mapping[str, Any]], find: FindWheel) -> tuple[WheelBuild, ...]:
    """Read the rows; `find` gives the file of a name, a version and a platform.

    Raises:
        KeyError: A row lacks what it must have.
        ValueError: A row is about a file that the lock does not have.
    """
    return tuple(_parse_build(row, find) for row in rows)


def _parse_build(row: Mapping[str, Any], find: FindWheel) -> WheelBuild:
    platform = Platform.parse(row["platform"])
    sdist = find(row["name"], row["version"], platform)
    if sdist.sha256 != row["sdist"]:
        raise ValueError(f"[[built]] of {sdist.name} is about another sdist than [[wheel]]")
    pins = [line.partition("==") for line in row.get("requires", ())]
    wheel = None
    if "file" in row:
        wheel = checked(
            LockedWheel(sdist.name, sdist.version, row["file"], row["sha256"], row["size"])
        )
    return WheelBuild(
        sdist,
        platform,
        tuple(find(name, version, platform) for name, _, version in pins),
        tuple(row.get("system", ())),
        tuple(row.get("env", ())),
        row["settings"],
        wheel,
        row.get("compiler", ""),
    )


def format_builds(builds: Iterable[WheelBuild]) -> list[dict[str, Any]]:
    """Return the rows, sorted."""
    return [_format_build(build) for build in sort_builds(builds)]


def sort_builds(builds: Iterable[WheelBuild]) -> tuple[WheelBuild, ...]:
    """Return builds in the one order that a lock has them in."""
    return tuple(
        sorted(builds, key=lambda b: (b.name, b.sdist.version, b.platform, b.sdist.sha256))
    )


def _format_build(build: WheelBuild) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": build.name,
        "version": build.sdist.version,
        "platform": build.platform.key,
        "sdist": build.sdist.sha256,
        "settings": build.settings,
    }
    if build.requires:
        row["requires"] = [f"{item.name}=={item.version}" for item in build.requires]
    if build.system:
        row["system"] = list(build.system)
    if build.env:
        row["env"] = list(build.env)
    if build.wheel:
        row |= {"file": build.wheel.file, "sha256": build.wheel.sha256}
        row |= {"size": build.wheel.size_bytes, "compiler": build.compiler}
    return row


def put_built(
    wheels: Sequence[LockedWheel], builds: Iterable[WheelBuild], platform: Platform
) -> tuple[LockedWheel, ...]:
    """Return wheels with each sdist that was built for the platform replaced by what it gave."""
    built = {
        build.sdist: build.wheel
        for build in builds
        if build.wheel is not None and build.platform == platform
    }
    return tuple(built.get(wheel) or wheel for wheel in wheels)


def take_built(
    wheels: Sequence[LockedWheel], builds: Iterable[WheelBuild], platform: Platform
) -> tuple[LockedWheel, ...]:
    """Return wheels with each that was built for the platform replaced by its sdist."""
    sdists = {build.wheel: build.sdist for build in builds if build.platform == platform}
    return tuple(sdists.get(wheel, wheel) for wheel in wheels)
