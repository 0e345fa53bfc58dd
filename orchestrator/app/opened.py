"""A workspace that is open for a verb: its graph, its places, its lock and its sources."""

from __future__ import annotations

import fcntl
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import LockError
from orchestrator.foundations import check_foundations
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
    graph = build_graph(workspace)
    check_foundations(workspace, graph)
    return Opened(workspace, graph, Paths.of(workspace.root))


def read_lock(opened: Opened) -> Lock:
    """Read the workspace's lock; a workspace of which nothing is locked needs none.

    Raises:
        LockError: There is none, or it cannot be read.
    """
    try:
        return parse_lock(opened.paths.lock.read_text("utf-8"))
    except FileNotFoundError:
        if not opened.graph.locked:
            return Lock()
        raise LockError("there is no orch.lock", hint="run: orch lock") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"orch.lock cannot be read: {error}") from error


@contextmanager
def writing_lock(opened: Opened) -> Iterator[None]:
    """Keep other runs from writing the lock until the block ends: it is to be read within it."""
    opened.paths.state.mkdir(parents=True, exist_ok=True)
    with (opened.paths.state / "lock.guard").open("ab") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


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
