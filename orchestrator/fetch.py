"""Downloads: verified by sha256, resumed where they stopped, many at once, kept by content."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from orchestrator import logs
from orchestrator.errors import (
    FetchError,
    InterruptedByUserError,
    OrchError,
    UnreachableError,
    disk_error,
)
from orchestrator.levels import Levels
from orchestrator.links import is_file, open_shared, refuse_foreign_links
from orchestrator.transfer import GoneError, Transfers

_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that is known by its content; `size_bytes` 0 means unknown.

    `locate` gives the URLs to try, best first; it is asked only when the file must be fetched.
    `fallback` gives places to try when none of these has it any more: archives that need not be
    reachable. `gone_hint` says what to do when no place has the file any more. The shared levels
    are asked before all these for what `is_shared`.
    """

    name: str
    sha256: str
    size_bytes: int
    locate: Callable[[], Sequence[str]]
    gone_hint: str = ""
    fallback: Callable[[], Sequence[str]] = tuple
    is_shared: bool = False


class Downloads:
    """The cache of downloaded files, addressed by sha256, and the way to fill it.

    Safe for several threads and processes: a file appears under its name complete or not at
    all, and who comes second waits for who came first. `sources` tells, by sha256, which shared
    level or host gave a file; `damaged` are files that were here, but not whole.
    """

    def __init__(
        self,
        folder: Path,
        *,
        jobs: int = 12,
        offline: bool = False,
        on_bytes: Callable[[int], None] = lambda _: None,
        levels: Levels | None = None,
    ) -> None:
        self._folder = folder
        self.is_offline = offline
        self._levels = levels or Levels()
        self.sources: dict[str, str] = {}
        self._transfers = Transfers(on_bytes)
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="fetch")
        self._running: dict[str, Future[Path]] = {}
        self.gone: set[str] = set()
        self.damaged: list[str] = []
        self._lock = threading.Lock()

    @property
    def warnings(self) -> list[str]:
        """Return what a person should know, a line for each damaged file."""
        return [f"{name} was damaged in the cache; thrown away" for name in self.damaged]

    def path(self, sha256: str) -> Path:
        """Return where a file lies, or would lie."""
        return self._folder / sha256[:2] / sha256

    def has(self, artifact: Artifact) -> bool:
        """Tell whether a file is there, by name and size; its content is checked when used."""
        try:
            size = self.path(artifact.sha256).stat().st_size
        except FileNotFoundError:
            return False
        return artifact.size_bytes in {0, size}

    def is_at_hand(self, artifact: Artifact) -> bool:
        """Tell whether a file can be had without a network."""
        is_shared = artifact.is_shared and self._levels.has_at_hand(artifact.sha256)
        return is_shared or self.has(artifact)

    def start(self, artifact: Artifact) -> Future[Path]:
        """Begin to fetch a file, once however often it is asked for.

        The future's result is the verified file's path; it raises FetchError.

        Raises:
            InterruptedByUserError: The downloads were stopped.
        """
        with self._lock:
            if self._transfers.is_stopped:
                raise InterruptedByUserError("the download was given up")
            future = self._running.get(artifact.sha256)
            if future is None or may_be_tried_again(future):
                future = self._pool.submit(self._ensure, artifact)
                self._running[artifact.sha256] = future
            return future

    def stop(self) -> None:
        """Give up what runs and drop what has not begun; their futures say so."""
        with self._lock:
            self._transfers.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Drop what has not begun and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._transfers.close()

    def _ensure(self, artifact: Artifact) -> Path:
        path = self.path(artifact.sha256)
        try:
            if _is_whole(path, artifact):
                return path
            path.parent.mkdir(parents=True, exist_ok=True)
            refuse_foreign_links(path.parent)
            with open_shared(path.with_suffix(".part")) as part:
                fcntl.flock(part, fcntl.LOCK_EX)
                if _is_whole(path, artifact):
                    return path
                if os.path.lexists(path):
                    path.unlink(missing_ok=True)
                    self.damaged.append(artifact.name)
                    logs.event("file.damaged", file=artifact.name)
                began_s = time.monotonic()
                self._fill(artifact, part)
                logs.event(
                    "file.fetched",
                    file=artifact.name,
                    size_bytes=part.tell(),
                    source=self.sources.get(artifact.sha256, ""),
                    duration_s=round(time.monotonic() - began_s, 3),
                )
                part.flush()
                os.fsync(part.fileno())
                path.with_suffix(".part").rename(path)
        except OSError as error:
            raise disk_error(error, path) from error
        return path

    def _fill(self, artifact: Artifact, part: BinaryIO) -> None:
        """Try the shared levels, then each place where the file may lie."""
        if artifact.is_shared and self._fill_shared(artifact, part):
            return
        if self.is_offline:
            raise FetchError(
                f"{artifact.name} is not in the cache, and --offline forbids fetching it",
                hint="run once without --offline",
            )
        problems: list[FetchError] = []
        for url in self._locate(artifact):
            if self._takes(artifact, url, part, problems, _ATTEMPTS):
                return
        if all(isinstance(error, GoneError) for error in problems):
            for url in artifact.fallback():
                if self._takes(artifact, url, part, [], 1):
                    return
        tried = "; ".join(error.message for error in problems) or "no configured source offers it"
        tried = "; ".join((tried, *self._level_problems(artifact)))
        message = f"{artifact.name} cannot be fetched: {tried}"
        altered = [error for error in problems if isinstance(error, AlteredError)]
        if altered:
            raise altered[0]
        if not all(isinstance(error, GoneError) for error in problems):
            raise UnreachableError(message, hint="see to the network, or try again later")
        self.gone.add(artifact.sha256)
        raise GoneError(message, hint=artifact.gone_hint)

    def _fill_shared(self, artifact: Artifact, part: BinaryIO) -> bool:
        level = self._levels.fill(artifact.sha256, artifact.name, part, self._transfers.received)
        if level is not None:
            self.sources[artifact.sha256] = level.name
        return level is not None

    def _locate(self, artifact: Artifact) -> Sequence[str]:
        try:
            return artifact.locate()
        except OrchError as error:
            error.message = "; ".join((error.message, *self._level_problems(artifact)))
            raise

    def _level_problems(self, artifact: Artifact) -> list[str]:
        return self._levels.problems if artifact.is_shared else []

    def _takes(
        self,
        artifact: Artifact,
        url: str,
        part: BinaryIO,
        problems: list[FetchError],
        attempts: int,
    ) -> bool:
        """Try one place, twice where it gives other bytes than the lock names."""
        found = ""
        for _ in range(2):
            try:
                self._transfers.fetch(url, part, attempts, artifact.size_bytes)
            except FetchError as error:
                problems.append(error)
                return False
            found = _sha256_of(Path(part.name))
            if found == artifact.sha256:
                self.sources[artifact.sha256] = urlsplit(url).hostname or "a folder"
                return True
            part.truncate(0)
        problems.append(
            AlteredError(
                f"{artifact.name} is not what the lock names: expected sha256 "
                f"{artifact.sha256}, found {found}",
                hint="a proxy or mirror altered it, or the lock is wrong; nothing was kept of it",
            )
        )
        return False


class AlteredError(FetchError):
    """A place gave other bytes than the lock names, twice."""


def may_be_tried_again(future: Future[Any]) -> bool:
    """Tell whether what is in a future failed by a fault that may have passed."""
    if not future.done() or future.cancelled():
        return False
    error = future.exception()
    return isinstance(error, OrchError) and error.may_pass


def _is_whole(path: Path, artifact: Artifact) -> bool:
    """Tell whether a file is there with all its bytes; then note that it was used now."""
    try:
        if not is_file(path) or artifact.size_bytes not in {0, path.stat().st_size}:
            return False
        if _sha256_of(path) != artifact.sha256:
            return False
        os.utime(path)
    except FileNotFoundError:
        return False
    except PermissionError:  # another user's cache: readable, and no times can be set
        return True
    return True


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
