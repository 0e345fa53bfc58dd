"""A workspace that is open for a verb: its graph, its places, its lock and its sources."""

from __future__ import annotations

import fcntl
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from orchestrator.errors import LockError, unreadable
from orchestrator.foundations import check_foundations
from orchestrator.graph import Graph, build_graph
from orchestrator.lockfile import AGAIN, LOCK_FILE, Lock, parse_lock
from orchestrator.model import Workspace
from orchestrator.paths import Paths
from orchestrator.remembered.ahead import StampsAhead
from orchestrator.remembered.memory import Memory
from orchestrator.remembered.parsed import CachedToml
from orchestrator.remembered.recipes import CachedRecipes
from orchestrator.settings import read_settings
from orchestrator.texts import read_text
from orchestrator.usage import working_in
from orchestrator.workspace import read_images

if TYPE_CHECKING:
    from orchestrator.resolve.debian import DebianArchive
    from orchestrator.resolve.python.uv import Uv

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Opened:
    """A workspace that a verb works on; `memory` is what is known of its files from before.

    `ahead` are stamps for the first plan that is made of it.
    """

    workspace: Workspace
    graph: Graph
    paths: Paths
    memory: Memory
    ahead: StampsAhead | None = None


def open_workspace(directory: Path, *, to_plan: bool = False) -> Opened:
    """Read the workspace of a folder and order its images.

    With `to_plan` stamps of its files are taken meanwhile, where there are very many.

    Raises:
        WorkspaceError: Settings, a recipe or an edge is not valid.
    """
    settings = read_settings(directory.resolve())
    paths = Paths.of(settings.file.parent)
    memory = Memory(paths.memory)
    ahead = StampsAhead(paths.root, memory) if to_plan else None
    workspace = read_images(settings, read=CachedRecipes(memory, paths.root).read)
    graph = build_graph(workspace)
    check_foundations(workspace, graph)
    return Opened(workspace, graph, paths, memory, ahead)


def read_lock(opened: Opened) -> Lock:
    """Read the workspace's lock; a workspace of which nothing is locked needs none.

    Raises:
        LockError: There is none, or it cannot be read.
    """
    text = read_lock_text(opened)
    return Lock() if text is None else parse_known_lock(opened, text)


def parse_known_lock(opened: Opened, text: str) -> Lock:
    """Read a lock's text, of which the TOML may be known from before.

    Raises:
        LockError: It is no lock.
    """
    return parse_lock(text, CachedToml(opened.memory, LOCK_FILE).loads)


def read_lock_text(opened: Opened) -> str | None:
    """Read the lock's text; None where there is no lock and nothing that is locked.

    Raises:
        LockError: There is none, or it cannot be read.
    """
    try:
        return read_text(opened.paths.lock)
    except FileNotFoundError:
        if not opened.graph.locked:
            return None
        raise LockError("there is no orch.lock", hint="run: orch lock") from None
    except UnicodeDecodeError as error:
        raise LockError("is not UTF-8 text", file=LOCK_FILE, hint=AGAIN) from error
    except OSError as error:
        raise unreadable(error, opened.paths.lock, LockError) from error


@contextmanager
def writing_lock(opened: Opened) -> Iterator[None]:
    """Keep other runs from writing the lock until the block ends: it is to be read within it."""
    opened.paths.state.mkdir(parents=True, exist_ok=True)
    with (opened.paths.state / "lock.guard").open("ab") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def at_work(
    verb: Callable[Concatenate[Opened, P], T],
) -> Callable[Concatenate[Opened, P], T]:
    """Keep `orch gc` away while a verb runs that reads or fills the layout and the cache."""

    @functools.wraps(verb)
    def working(opened: Opened, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with working_in(opened.paths.state, opened.paths.cache):
            return verb(opened, *args, **kwargs)

    return working


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
