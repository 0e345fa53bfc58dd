"""The builds of wheels that run: each can be ended, and all at once."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import InterruptedByUserError

_UMASK = 0o022


class Builds:
    """The builds that run: threads may share one, and `stop` ends them all."""

    def __init__(self) -> None:
        self._running: dict[object, Callable[[], None]] = {}
        self._stopping = False
        self._lock = threading.Lock()

    def stop(self) -> None:
        """End what runs, with all its children; what has not begun does not begin."""
        with self._lock:
            self._stopping = True
            for end in self._running.values():
                end()

    @contextmanager
    def running(self, end: Callable[[], None]) -> Iterator[None]:
        """Have `end` called if all is stopped before the block ends.

        Raises:
            InterruptedByUserError: It was stopped, before or within the block.
        """
        mine = object()
        with self._lock:
            self._check()
            self._running[mine] = end
        try:
            yield
        finally:
            with self._lock:
                self._running.pop(mine)
        self._check()

    def run(self, command: Sequence[str], folder: Path, env: Mapping[str, str], log: Path) -> bool:
        """Run a command, its output added to a log; tell whether it went well.

        Raises:
            InterruptedByUserError: It was stopped.
        """
        with self._lock:
            self._check()
        with log.open("ab") as out:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=_UMASK,
            )
        try:
            with self.running(lambda: _kill(process)):
                return process.wait() == 0
        finally:
            if process.poll() is None:
                _kill(process)
                process.wait()

    def _check(self) -> None:
        if self._stopping:
            raise InterruptedByUserError("the build of a wheel was given up")


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()
