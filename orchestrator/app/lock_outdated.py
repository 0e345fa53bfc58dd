"""`orch lock --outdated`: what is newer than the lock; writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.app.opened import archive_of, open_workspace, read_lock, uv_of

if TYPE_CHECKING:
    from orchestrator.resolve.outdated import Outdated


def outdated(directory: Path, progress: Callable[[str], None]) -> tuple[Outdated, ...]:
    """Return the packages of the lock of which a newer version is offered.

    Raises:
        LockError: There is no lock, or it cannot be read.
        ResolutionError: What is asked for cannot be resolved any more.
        FetchError: An index is out of reach.
    """
    from orchestrator.resolve.lock import Sources, Upgrade, resolve_lock  # noqa: PLC0415
    from orchestrator.resolve.outdated import find_outdated  # noqa: PLC0415 - slow to import

    opened = open_workspace(directory)
    lock = read_lock(opened)
    sources = Sources(archive_of(opened), uv_of(opened), lambda _: {}, progress)
    everything = Upgrade(everything=True)
    upgraded = resolve_lock(opened.workspace, opened.graph, sources, lock, everything).lock
    progress("what is newer than that")
    return find_outdated(opened.workspace, opened.graph, sources, lock, upgraded)
