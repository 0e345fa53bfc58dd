"""The one place where things are wired together; one function a verb."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import LockError
from orchestrator.graph import Graph, build_graph
from orchestrator.lockfile import Lock, parse_lock
from orchestrator.model import Workspace
from orchestrator.paths import Paths
from orchestrator.workspace import read_workspace

if TYPE_CHECKING:
    from orchestrator.resolve.debian import DebianArchive
    from orchestrator.resolve.python.uv import Uv


@dataclass(frozen=True, slots=True)
class Opened:
    """A workspace that a verb works on."""

    workspace: Workspace
    graph: Graph
    paths: Paths


def open_workspace(directory: Path) -> Opened:
    """Read the workspace of a folder and order its images.

    Raises:
        WorkspaceError: Settings, a recipe or an edge is not valid.
    """
    workspace = read_workspace(directory)
    return Opened(workspace, build_graph(workspace), Paths.of(workspace.root))


def read_lock(opened: Opened) -> Lock:
    """Read the workspace's lock.

    Raises:
        LockError: There is none, or it cannot be read.
    """
    try:
        return parse_lock(opened.paths.lock.read_text("utf-8"))
    except FileNotFoundError:
        raise LockError("there is no orch.lock", hint="run: orch lock") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"orch.lock cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class LockWritten:
    """What `orch lock` did: lines that changed, notes for a person, images left out."""

    changes: tuple[str, ...]
    notes: tuple[str, ...]
    unavailable: tuple[str, ...]
    summary: str


def lock(
    directory: Path,
    *,
    upgrade: bool = False,
    packages: Collection[str] = (),
    dry_run: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> LockWritten:
    """Resolve the workspace and write its lock.

    Raises:
        OrchError: It cannot be resolved; the lock is as it was.
    """
    from orchestrator.atomic import write_text  # noqa: PLC0415 - used by this verb alone
    from orchestrator.lockfile import format_lock  # noqa: PLC0415 - likewise
    from orchestrator.resolve.lock import Sources, Upgrade, resolve_lock  # noqa: PLC0415
    from orchestrator.wheelhouse.locate import measure_files  # noqa: PLC0415

    opened = open_workspace(directory)
    previous = read_lock(opened) if opened.paths.lock.exists() else Lock()
    sources = Sources(archive_of(opened), uv_of(opened), measure_files, progress)
    moving = Upgrade(everything=upgrade and not packages, packages=packages)
    resolution = resolve_lock(opened.workspace, opened.graph, sources, previous, moving)
    if not dry_run:
        write_text(opened.paths.lock, format_lock(resolution.lock), sync=True)
    return _written(previous, resolution.lock, resolution.notes)


def _written(previous: Lock, new: Lock, notes: list[str]) -> LockWritten:
    before, after = _versions(previous), _versions(new)
    changes = [
        f"{name} {before.get((name, platform), '(none)')} -> "
        f"{after.get((name, platform), '(none)')} ({platform})"
        for name, platform in sorted(before.keys() | after.keys())
        if before.get((name, platform)) != after.get((name, platform))
    ]
    unavailable = tuple(name for (name, _), adds in new.images.items() if adds.unavailable)
    images = len({name for name, _ in new.images})
    debs = {deb for adds in new.images.values() for deb in adds.debs}
    wheels = {wheel for adds in new.images.values() for wheel in adds.wheels}
    summary = f"locked {images} images: {len(debs)} Debian packages and {len(wheels)} Python files"
    return LockWritten(tuple(changes), tuple(notes), unavailable, summary)


def _versions(lock: Lock) -> dict[tuple[str, str], str]:
    versions: dict[tuple[str, str], str] = {}
    for (_, platform), adds in lock.images.items():
        versions |= {(deb.name, platform.key): deb.version for deb in adds.debs}
        versions |= {(wheel.name, platform.key): wheel.version for wheel in adds.wheels}
    return versions


def check_locked(directory: Path) -> None:
    """Make sure that the lock answers what the workspace asks for.

    Raises:
        LockError: It does not.
    """
    from orchestrator.resolve.inputs import check_lock  # noqa: PLC0415 - slow to import

    opened = open_workspace(directory)
    locked = read_lock(opened)
    for platform in opened.workspace.settings.platforms:
        check_lock(opened.workspace, opened.graph, locked, platform)


def archive_of(opened: Opened) -> Callable[[], DebianArchive]:
    """Return the Debian archives of this machine, opened when first asked for."""

    @functools.cache
    def archive() -> DebianArchive:
        from orchestrator.resolve.debian import open_archive  # noqa: PLC0415 - slow to import

        return open_archive(opened.workspace.settings.debian, opened.paths.cache)

    return archive


def uv_of(opened: Opened, *, offline: bool = False) -> Callable[[], Uv]:
    """Return uv with this machine's indexes, found when first asked for."""

    @functools.cache
    def uv() -> Uv:
        from orchestrator.resolve.python.indexes import read_indexes  # noqa: PLC0415
        from orchestrator.resolve.python.uv import Uv as Resolver  # noqa: PLC0415

        indexes = read_indexes(opened.workspace.settings.python)
        return Resolver(indexes, opened.paths.cache / "uv", offline=offline)

    return uv
