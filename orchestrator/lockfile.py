"""The lock: `orch.lock` as text and as values. It names no host.

What an image adds is a list of names and versions; the files these stand for are listed once
for all images, so a moved version is a change of few lines.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.errors import LockError
from orchestrator.externals import LockedExternal, parse_externals
from orchestrator.lockbuilds import (
    checked,
    parse_builds,
    put_built,
    sort_builds,
    take_built,
)
from orchestrator.model import LockedDeb, LockedWheel, Platform, WheelBuild
from orchestrator.texts import CONFLICT, conflict_line

LOCK_FILE = "orch.lock"
LOCK_VERSION = 1
Package = LockedDeb | LockedWheel


@dataclass(frozen=True, slots=True)
class ImageLock:
    """What one image adds to its parent on one platform, sorted by name.

    `inputs` is the digest of what was asked for when this was resolved. `unavailable` says why
    the image could not be resolved for the platform; it adds nothing then. `python` is what its
    wheels are for where that is not the lock's own Python.
    """

    debs: tuple[LockedDeb, ...] = ()
    wheels: tuple[LockedWheel, ...] = ()
    inputs: str = ""
    unavailable: str = ""
    python: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an image asked for when it was locked, sorted: to say later what has changed.

    `target` is what the settings say of what a Dockerfile's wheels must fit.
    """

    parent: str
    debs: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    target: str = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """Everything that is pinned, by image name and platform.

    `release_dates` maps a Debian suite to the date of the Release file it was resolved from.
    `asked` is empty in a lock that an older orch wrote. `builds` say how what has no wheel on the
    index is built; the images hold the wheels that were built, and sdists that were not yet.
    `externals` are sorted by reference.
    """

    python: str = ""
    suite: str = ""
    release_dates: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[tuple[str, Platform], ImageLock] = field(default_factory=dict)
    asked: Mapping[str, Asked] = field(default_factory=dict)
    builds: tuple[WheelBuild, ...] = ()
    externals: tuple[LockedExternal, ...] = ()

    def build_of(self, wheel: LockedWheel, platform: Platform) -> WheelBuild | None:
        """Return how a wheel is built, given itself or its sdist; None for what an index has."""
        for build in self.builds:
            if build.platform == platform and wheel in {build.sdist, build.wheel}:
                return build
        return None

    def with_builds(self, builds: Iterable[WheelBuild]) -> Lock:
        """Return the lock with these builds, and in its images the wheels that they gave."""
        new = sort_builds(builds)
        if not new and not self.builds:
            return self
        images = {}
        for key, adds in self.images.items():
            sdists = take_built(adds.wheels, self.builds, key[1])
            images[key] = replace(adds, wheels=put_built(sdists, new, key[1]))
        return replace(self, images=images, builds=new)

    def image(self, name: str, platform: Platform) -> ImageLock:
        """Return what an image adds on a platform.

        Raises:
            LockError: The lock does not know the image or the platform.
        """
        try:
            return self.images[name, platform]
        except KeyError:
            raise LockError(
                f"{name} is not locked for {platform}", file=LOCK_FILE, hint="run: orch lock"
            ) from None


def parse_lock(text: str, loads: Callable[[str], dict[str, Any]] = tomllib.loads) -> Lock:
    """Read a lock's text; its TOML is read by `loads`.

    Raises:
        LockError: It is no lock, was cut short, or was written by a newer version.
    """
    try:
        raw = loads(text)
        if raw["version"] > LOCK_VERSION:
            raise LockError(
                f"is version {raw['version']}, this orch reads up to {LOCK_VERSION}",
                file=LOCK_FILE,
                hint="update orch, or delete the lock and have this one write it: orch lock",
            )
        return _parse(raw)
    except tomllib.TOMLDecodeError as error:
        if conflict := conflict_line(text):
            raise LockError(CONFLICT, file=LOCK_FILE, line=conflict, hint=_ONE_SIDE) from error
        raise LockError(f"is not valid TOML: {error}", file=LOCK_FILE, hint=AGAIN) from error
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else "a value is of another kind"
        raise LockError(f"is not a lock: {why}", file=LOCK_FILE, hint=AGAIN) from error
    except ValueError as error:
        raise LockError(f"is not a whole lock: {error}", file=LOCK_FILE, hint=AGAIN) from error


AGAIN = "restore it from git, or delete it and have everything pinned anew: orch lock"
_ONE_SIDE = "take one side whole (git checkout --theirs orch.lock), then run: orch lock"

_Debs = dict[tuple[str, str, str], LockedDeb]
"""By name, version and architecture."""

_Wheels = dict[tuple[str, str, str, str], LockedWheel]
"""By name, version, and the platform and Python they are for; empty where they are for any."""


def _parse(raw: dict[str, Any]) -> Lock:
    debs = _parse_debs(raw)
    wheels = _parse_wheels(raw)
    read = functools.cache(Platform.parse)
    images = {
        (name, read(key)): _parse_image(adds, read(key), raw["python"], debs, wheels)
        for name, platforms in raw.get("image", {}).items()
        for key, adds in platforms.items()
    }
    _check_used(debs.values(), (deb for adds in images.values() for deb in adds.debs))
    builds = parse_builds(
        raw.get("built", ()),
        lambda name, pin, on: _find_wheel(wheels, (name, pin), on.key, raw["python"]),
    )
    _check_used(wheels.values(), _listed_wheels(images.values(), builds))
    _check_used((build.sdist for build in builds), _listed_wheels(images.values(), ()))
    asked = {name: _parse_asked(row) for name, row in raw.get("asked", {}).items()}
    dates, externals = raw.get("release-dates", {}), parse_externals(raw.get("external", ()))
    lock = Lock(raw["python"], raw["suite"], dates, images, asked, externals=externals)
    return lock.with_builds(builds)


def _parse_debs(raw: dict[str, Any]) -> _Debs:
    return {
        (row["name"], row["version"], row["architecture"]): checked(
            LockedDeb(
                row["name"],
                row["version"],
                row["architecture"],
                row["sha256"],
                row["size"],
                row["path"],
            )
        )
        for row in raw.get("deb", [])
    }


def _parse_wheels(raw: dict[str, Any]) -> _Wheels:
    wheels: _Wheels = {}
    for row in raw.get("wheel", []):
        wheel = checked(
            LockedWheel(row["name"], row["version"], row["file"], row["sha256"], row["size"])
        )
        for platform in row.get("platforms", [""]):
            for python in row.get("pythons", [""]):
                wheels[wheel.name, wheel.version, platform, python] = wheel
    return wheels


def _parse_image(
    adds: dict[str, Any], platform: Platform, python: str, debs: _Debs, wheels: _Wheels
) -> ImageLock:
    own_python, key = adds.get("for-python", ""), platform.key
    pins = adds.get("python", {}).items()
    return ImageLock(
        tuple([_find_deb(debs, item, platform) for item in adds.get("debian", {}).items()]),
        tuple([_find_wheel(wheels, item, key, own_python or python) for item in pins]),
        adds.get("inputs", ""),
        adds.get("unavailable", ""),
        own_python,
    )


def _parse_asked(row: dict[str, Any]) -> Asked:
    return Asked(
        row["from"],
        tuple(row.get("debian", ())),
        tuple(row.get("python", ())),
        row.get("target", ""),
    )


def _listed_wheels(
    images: Iterable[ImageLock], builds: Iterable[WheelBuild]
) -> Iterator[LockedWheel]:
    for adds in images:
        yield from adds.wheels
    for build in builds:
        yield from build.requires


def _check_used(listed: Iterable[Package], added: Iterable[Package]) -> None:
    """Refuse files that no image adds: what adds them was cut off, or lost in a merge."""
    unused = sorted({package.name for package in set(listed) - set(added)})
    if unused:
        raise ValueError(f"no image adds {', '.join(unused)}")


def _find_deb(debs: _Debs, item: tuple[str, str], platform: Platform) -> LockedDeb:
    found = debs.get((*item, platform.debian)) or debs.get((*item, "all"))
    if found is None:
        raise ValueError(f"no [[deb]] for {item[0]} {item[1]} on {platform}")
    return found


def _find_wheel(wheels: _Wheels, item: tuple[str, str], platform: str, python: str) -> LockedWheel:
    places = ((platform, python), (platform, ""), ("", python), ("", ""))
    found = next((wheels[*item, *at] for at in places if (*item, *at) in wheels), None)
    if found is None:
        raise ValueError(f"no [[wheel]] for {item[0]} {item[1]} on {platform}")
    return found
