"""The lock as text: in a stable order, so that equal locks are equal text and diffs are small."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestrator.externals import format_externals
from orchestrator.lockbuilds import format_builds, take_built
from orchestrator.lockfile import LOCK_VERSION, Asked, ImageLock, Lock
from orchestrator.model import LockedWheel

_HEADER = "# Written by `orch lock`: what every image adds to its parent. Commit it as it is.\n"


def format_lock(lock: Lock) -> str:
    """Return the lock's text; equal locks give equal text."""
    import toml  # noqa: PLC0415 - only to write, which is rare

    images: dict[str, dict[str, Any]] = {}
    for (name, platform), adds in sorted(lock.images.items()):
        images.setdefault(name, {})[platform.key] = _format_image(adds)
    document = {
        "version": LOCK_VERSION,
        "python": lock.python,
        "suite": lock.suite,
        "release-dates": dict(sorted(lock.release_dates.items())),
        "asked": {name: _format_asked(asked) for name, asked in sorted(lock.asked.items())},
        "image": images,
        "deb": _format_debs(lock.images.values()),
        "wheel": _format_wheels(lock),
    }
    if lock.externals:
        document["external"] = format_externals(lock.externals)
    if lock.builds:
        document["built"] = format_builds(lock.builds)
    return _HEADER + toml.dumps(document)


def _format_asked(asked: Asked) -> dict[str, Any]:
    row: dict[str, Any] = {"from": asked.parent}
    if asked.debs:
        row["debian"] = list(asked.debs)
    if asked.requirements:
        row["python"] = list(asked.requirements)
    if asked.target:
        row["target"] = asked.target
    return row


def _format_image(adds: ImageLock) -> dict[str, Any]:
    row: dict[str, Any] = {"inputs": adds.inputs}
    if adds.unavailable:
        row["unavailable"] = _printable(adds.unavailable)
    if adds.python:
        row["for-python"] = adds.python
    if adds.debs:
        row["debian"] = {deb.name: deb.version for deb in adds.debs}
    if adds.wheels:
        row["python"] = {wheel.name: wheel.version for wheel in adds.wheels}
    return row


def _printable(text: str) -> str:
    """Replace what the writer of TOML garbles or fails on: control characters, backslash-x."""
    text = "".join(char if char.isprintable() or char == "\n" else " " for char in text)
    return text.replace("\\x", "/x")


def _format_debs(images: Iterable[ImageLock]) -> list[dict[str, Any]]:
    debs = {deb for adds in images for deb in adds.debs}
    return [
        {
            "name": deb.name,
            "version": deb.version,
            "architecture": deb.architecture,
            "sha256": deb.sha256,
            "size": deb.size_bytes,
            "path": deb.path,
        }
        for deb in sorted(debs, key=lambda deb: (deb.name, deb.version, deb.architecture))
    ]


def _format_wheels(lock: Lock) -> list[dict[str, Any]]:
    platforms: dict[LockedWheel, set[str]] = {}
    pythons: dict[LockedWheel, set[str]] = {}
    for (_, platform), adds in lock.images.items():
        for wheel in take_built(adds.wheels, lock.builds, platform):
            platforms.setdefault(wheel, set()).add(platform.key)
            pythons.setdefault(wheel, set()).add(adds.python or lock.python)
    for build in lock.builds:
        for wheel in build.requires:
            platforms.setdefault(wheel, set()).add(build.platform.key)
            pythons.setdefault(wheel, set()).add(lock.python)
    rows = []
    for wheel in sorted(platforms, key=lambda wheel: (wheel.name, wheel.version, wheel.file)):
        row: dict[str, Any] = {"name": wheel.name, "version": wheel.version, "file": wheel.file}
        row |= {"sha256": wheel.sha256, "size": wheel.size_bytes}
        if not wheel.file.endswith(("-any.whl", ".tar.gz", ".zip")):
            row["platforms"] = sorted(platforms[wheel])
            if pythons[wheel] != {lock.python}:
                row["pythons"] = sorted(pythons[wheel])
        rows.append(row)
    return rows
