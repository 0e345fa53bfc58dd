"""`orch` in a process of its own that is forked off this one: a fault there, and a look here."""

from __future__ import annotations

import gc
import io
import os
import select
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli import main

TIMEOUT_S = 120


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code, or the signal's number below zero, and what it said."""

    code: int
    said: str

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


class HangError(AssertionError):
    """A run did not end."""


@dataclass
class Child:
    """A run that was begun; `result` waits for its end."""

    pid: int
    output: Path
    _handle: int

    def ends_within(self, timeout_s: float) -> bool:
        ended, _, _ = select.select([self._handle], [], [], timeout_s)
        return bool(ended)

    def kill(self, *, alone: bool = False) -> None:
        """Kill it, and all that it started, which are of its session, unless it `alone`."""
        if not alone:
            with suppress(ProcessLookupError):  # it has no session of its own yet
                os.killpg(self.pid, signal.SIGKILL)
        os.kill(self.pid, signal.SIGKILL)

    def result(self, timeout_s: float = TIMEOUT_S) -> Ended:
        """Return how it ended.

        Raises:
            HangError: It does not end.
        """
        is_over = self.ends_within(timeout_s)
        if not is_over:
            self.kill()
        _, status = os.waitpid(self.pid, 0)
        os.close(self._handle)
        said = self.output.read_text(errors="replace")
        if not is_over:
            raise HangError(f"it did not end within {timeout_s} s:\n{said}")
        return Ended(os.waitstatus_to_exitcode(status), said)


def fork(act: Callable[[], int], output: Path) -> Child:
    """Run a function in a process of its own and session; its result is the exit code."""
    output.touch()
    pid = os.fork()
    if pid:
        return Child(pid, output, os.pidfd_open(pid))
    code = 70
    try:
        os.setsid()
        gc.disable()
        _say_to(output)
        code = act()
    except BaseException:  # noqa: BLE001 - nothing of the tests may go on in here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def start(
    root: Path,
    environment: Mapping[str, str],
    arguments: tuple[str, ...],
    output: Path,
    prepare: Callable[[], None] = lambda: None,
) -> Child:
    """Run `orch` in a folder; `prepare` is called in the new process, before it begins."""

    def act() -> int:
        os.chdir(root)
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None  # so that TMPDIR is looked at again
        signal.signal(signal.SIGINT, signal.default_int_handler)
        prepare()
        try:
            main(list(arguments))
        except SystemExit as ended:
            return int(ended.code or 0)
        finally:
            sys.setprofile(None)
        return 70

    return fork(act, output)


def _say_to(output: Path) -> None:
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    for number in (1, 2):
        os.dup2(handle, number)
    sys.stdin = io.StringIO()
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115 - they live as long as the process
