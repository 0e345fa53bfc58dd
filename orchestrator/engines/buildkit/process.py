"""Running buildx: each build in a process group of its own, which ends as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from orchestrator.errors import InterruptedByUserError, MissingToolError

_GRACE_S = 10


class Processes:
    """Runs commands, and ends all of them when it is told to. Threads share one."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(
        self,
        words: Sequence[str],
        environment: dict[str, str],
        folder: Path,
        take: Callable[[str], None],
        is_enough: Callable[[], bool] = lambda: False,
    ) -> int:
        """Run a command in a folder to its end; return its code.

        Each line that it writes is given to `take`. Once that was enough, the command is ended, and
        its code is 0.

        Raises:
            InterruptedByUserError: It was stopped.
            MissingToolError: There is no such command.
        """
        with self._lock:
            if self._stopped:
                raise InterruptedByUserError("the run was stopped")
            try:
                process = subprocess.Popen(
                    words,
                    env=environment,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    start_new_session=True,
                )
            except FileNotFoundError as error:
                raise MissingToolError(
                    f"there is no {words[0]} command",
                    hint="install it, and put its folder on the PATH",
                ) from error
            self._running.add(process)
        try:
            with process:
                ended = False
                for line in process.stdout or ():
                    take(line)
                    if not ended and is_enough():
                        ended = True
                        _end([process])
        finally:
            with self._lock:
                self._running.discard(process)
        if self._stopped:
            raise InterruptedByUserError("the run was stopped")
        return 0 if ended else process.returncode

    def stop(self) -> None:
        """End what runs: politely first, so that the builder hears of it."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        _end(running)


def _end(processes: Collection[subprocess.Popen[str]]) -> None:
    _signal(processes, signal.SIGTERM)
    timer = threading.Timer(_GRACE_S, _signal, [processes, signal.SIGKILL])
    timer.daemon = True
    timer.start()


def _signal(processes: Iterable[subprocess.Popen[str]], number: int) -> None:
    for process in processes:
        if process.poll() is None:  # its number is still its own
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
