"""Why a wheel of the lock is there, and why a build on this machine was another than its."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model import LockedWheel, Platform, WheelBuild
from orchestrator.wheelhouse.records import BuiltRecord


@dataclass(frozen=True, slots=True)
class Why:
    """What is known of a file of the lock: which images hold it, how it is made, where it lies.

    `before` are builds of the project on this machine, each with what differs from the lock's.
    """

    wheel: LockedWheel
    platform: Platform
    images: tuple[str, ...]
    build: WheelBuild | None
    is_here: bool
    before: tuple[tuple[BuiltRecord, tuple[str, ...]], ...] = ()


def differences(record: BuiltRecord, build: WheelBuild) -> tuple[str, ...]:
    """Return in what a build on this machine was another than the lock's; nothing if in none."""
    requires = tuple(f"{item.name}=={item.version}" for item in build.requires)
    compared = {
        "platform": (record.platform, build.platform.key),
        "sdist": (record.sdist, build.sdist.sha256),
        "requires": (record.requires, requires),
        "settings": (record.settings, build.settings),
        "compiler": (record.compiler, build.compiler or record.compiler),
    }
    return tuple(part for part, (there, here) in compared.items() if there != here)
