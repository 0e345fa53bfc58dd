"""Why an image cannot be made on this machine."""

from __future__ import annotations

from orchestrator.app.opened import Opened
from orchestrator.externals import external_parent
from orchestrator.lockfile import Lock
from orchestrator.model import LockedWheel, Platform


def why_unavailable(
    opened: Opened, name: str, lock: Lock, platform: Platform, docker_problem: str
) -> str:
    """Return why an image cannot be made here; nothing where it can, as far as one sees yet.

    `docker_problem` is why Docker does not answer, or nothing.
    """
    image = opened.graph.images[name]
    if image.build is not None and (docker_problem or name not in opened.graph.takes_wheels):
        return docker_problem
    adds = lock.image(name, platform)
    if adds.unavailable:
        return adds.unavailable
    if why := _why_unpinned(opened, lock, name):
        return why
    sdists = (wheel for wheel in adds.wheels if not wheel.is_wheel)
    return next((why for why in (_why_unbuilt(lock, s, platform) for s in sdists) if why), "")


def _why_unpinned(opened: Opened, lock: Lock, name: str) -> str:
    """Return why it is not known what a recipe's external image is; nothing where it is known."""
    parent = external_parent(opened.graph, name)
    if not parent or "@" in parent:
        return ""
    row = next((row for row in lock.externals if row.reference == parent), None)
    if row and row.digest:
        return ""
    why = f": {row.unpinned}" if row else ""
    return f"it stands on {parent}, which is not pinned{why}; run: orch lock"


def _why_unbuilt(lock: Lock, sdist: LockedWheel, platform: Platform) -> str:
    """Return why a wheel that is not built yet is not built here; the rest shows when it is."""
    from orchestrator.wheelhouse.toolchain import is_native  # noqa: PLC0415 - only for sdists

    what = f"{sdist.name} {sdist.version} comes as source only"
    if lock.build_of(sdist, platform) is None:
        return f"{what}, and the lock does not say what building it needs; run: orch lock"
    if not is_native(platform):
        return f"{what}, and is built on a machine of {platform}: run orch wheels there"
    return ""
