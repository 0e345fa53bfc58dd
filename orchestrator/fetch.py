"""Downloads: verified by sha256, resumed where they stopped, many at once, kept by content."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from orchestrator import logs
from orchestrator.errors import (
    InterruptedByUserError,
    OrchError,
    disk_error,
)
from orchestrator.levels import Levels
from orchestrator.links import is_file, open_shared, refuse_foreign_links
from orchestrator.supply import Artifact, Supply, sha256_of
from orchestrator.transfer import Transfers


class Downloads:
    """The cache of downloaded files, addressed by sha256, and the way to fill it.

    Safe for several threads and processes: a file appears under its name complete or not at
    all, and who comes second waits for who came first. `damaged` are files that were here, but
    not whole.
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
        self._levels = levels or Levels()
        self._transfers = Transfers(on_bytes)
        self._supply = Supply(self._transfers, self._levels, offline=offline)
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="fetch")
        self._running: dict[str, Future[Path]] = {}
        self.damaged: list[str] = []
        self._lock = threading.Lock()

    @property
    def is_offline(self) -> bool:
        """Tell whether what is neither here nor at a shared level at hand is not fetched."""
        return self._supply.is_offline

    @property
    def sources(self) -> dict[str, str]:
        """Return which shared level or host gave a file, by sha256."""
        return self._supply.sources

    @property
    def gone(self) -> set[str]:
        """Return the sha256 of files that no place has any more."""
        return self._supply.gone

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
                self._supply.fill(artifact, part)
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
        if sha256_of(path) != artifact.sha256:
            return False
        os.utime(path)
    except FileNotFoundError:
        return False
    except PermissionError:  # another user's cache: readable, and no times can be set
        return True
    return True
