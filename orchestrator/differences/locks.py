"""Two locks compared: what images add, and what they stand on."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.differences.packages import Held, compare_packages
from orchestrator.differences.values import (
    Change,
    ImageDifference,
    Kind,
    PackageChange,
    Presence,
    compare_mappings,
)
from orchestrator.lockfile import ImageLock, Lock


def compare_locks(old: Lock, new: Lock) -> Iterator[ImageDifference]:
    """Yield what differs in what each image adds to its parent, by image and platform.

    A package that moves between images went from the one and came to the other.
    """
    for name, platform in sorted(old.images.keys() | new.images.keys()):
        was, now = old.images.get((name, platform)), new.images.get((name, platform))
        packages = tuple(_compare_adds(was or ImageLock(), now or ImageLock()))
        presence = Presence.BOTH
        if was is None or now is None:
            presence = Presence.CAME if was is None else Presence.WENT
        yield ImageDifference(name, platform.key, presence, packages)


def compare_pins(old: Lock, new: Lock) -> tuple[Change, ...]:
    """Return the external images that are pinned otherwise, and another Python or suite."""
    return tuple(compare_mappings(_pins(old), _pins(new)))


def _pins(lock: Lock) -> dict[str, str]:
    told = {"Python": lock.python, "Debian suite": lock.suite}
    pins = {pin.reference: pin.digest or f"not pinned: {pin.unpinned}" for pin in lock.externals}
    return {**pins, **{what: value for what, value in told.items() if value}}


def _compare_adds(old: ImageLock, new: ImageLock) -> Iterator[PackageChange]:
    for kind, was, now in (
        (Kind.DEBIAN, old.debs, new.debs),
        (Kind.PYTHON, old.wheels, new.wheels),
    ):
        held = [[Held(it.name, it.version, it.sha256) for it in side] for side in (was, now)]
        yield from compare_packages(kind, *held)
