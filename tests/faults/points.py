"""Points of a run at which something can go wrong, and what does: for a process of its own.

A point is a call that changes or reads what is kept: `write`, `fsync`, `replace` and their like,
named after the function of ours that it serves. Nothing in the code under test knows of them:
the interpreter tells of every call of a function in C.
"""

from __future__ import annotations

import io
import itertools
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

CHANGES = frozenset(
    {
        "write",
        "writelines",
        "flush",
        "fsync",
        "rename",
        "replace",
        "unlink",
        "link",
        "symlink",
        "mkdir",
        "rmdir",
        "truncate",
        "fchmod",
        "chmod",
        "utime",
        "flock",
        "execute",
        "executemany",
        "open",
        "close",
        "__exit__",
        "sendfile",
        "send",
        "sendall",
        "fork_exec",
    }
)
"""Calls after or before which the disk, or another machine, may have another state."""

FAILS = frozenset({"write", "writelines", "flush", "fsync", "open", "mkdir", "link", "replace"})
"""Calls that a disk can let fail."""

_OURS = "orchestrator."
_SYSTEM = frozenset({"posix", "fcntl", "_posixsubprocess"})
_OTHERS = frozenset({"sqlite3", "_socket", "socket", "_ssl", "ssl"})


@dataclass(frozen=True)
class Point:
    """The `number`-th call, from 1, of `call` that serves `where`, a function of ours."""

    where: str
    call: str
    number: int = 1

    @property
    def name(self) -> str:
        return f"{self.where}: {self.call}"

    def __str__(self) -> str:
        return f"{self.name} #{self.number}"


@dataclass
class Watch:
    """Counts the points of this process, and does `act` at each; several threads may run."""

    act: Callable[[Point], None]
    calls: frozenset[str] = CHANGES
    _seen: Counter[str] = field(default_factory=Counter)
    _where: dict[CodeType, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Watch this thread, and all that are started from now on."""
        threading.setprofile(self._look)
        sys.setprofile(self._look)

    def _look(self, frame: FrameType, event: str, called: Any) -> None:
        if event != "c_call" or called.__name__ not in self.calls or not _changes(called):
            return
        where = self._place(frame)
        if not where:
            return
        with self._lock:
            key = f"{where}: {called.__name__}"
            self._seen[key] += 1
            point = Point(where, called.__name__, self._seen[key])
        self.act(point)

    def _place(self, frame: FrameType | None) -> str:
        """Return the innermost function of ours that is running."""
        while frame is not None:
            code = frame.f_code
            if code not in self._where:
                module = frame.f_globals.get("__name__", "")
                ours = module.startswith(_OURS) and code.co_name != "<module>"
                name = f"{module.removeprefix(_OURS)}.{code.co_qualname}"
                self._where[code] = name if ours else ""
            if self._where[code]:
                return self._where[code]
            frame = frame.f_back
        return ""


def _changes(called: Any) -> bool:
    """Tell whether a function in C changes files, a database, or what is on the wire."""
    owner = getattr(called, "__self__", None)
    if getattr(called, "__module__", None) in _SYSTEM:
        return True
    if isinstance(owner, io.IOBase):
        return not owner.closed and owner.writable()
    return type(owner).__module__ in _OTHERS


def kill_at(point: Point) -> Watch:
    """End this process at a point as the kernel would, with no chance to do anything more."""

    def act(now: Point) -> None:
        if now == point:
            end_at_once()

    return Watch(act)


def count_down(number: int, act: Callable[[], None]) -> Watch:
    """Do something at the `number`-th point of all, whichever that is."""
    left = itertools.count(number - 1, -1)  # whose next is one step: threads count together

    def step(_: Point) -> None:
        if next(left) == 0:
            act()

    return Watch(step)


def end_at_once() -> None:
    """End this process as the kernel would."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail_at(point: Point, number: int) -> Watch:
    """Let one call fail with an error of the system, `number` of `errno`."""

    def act(now: Point) -> None:
        if now == point:
            raise OSError(number, os.strerror(number))

    return Watch(act, FAILS)


def dawdle(seed: int, most_s: float) -> Watch:
    """Let every call take its time, of another length each: a slow disk, and other orders."""
    rng = random.Random(seed)
    return Watch(lambda _: time.sleep(rng.random() * most_s))


def note_in(file: Path, calls: frozenset[str] = CHANGES) -> Watch:
    """Write every point into a file, a line each."""

    def act(now: Point) -> None:
        line = f"{now.where}\t{now.call}\t{now.number}\n"
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(handle, line.encode())
        os.close(handle)

    return Watch(act, calls)


def read_points(file: Path) -> list[Point]:
    """Read what `note_in` wrote."""
    rows = (line.split("\t") for line in file.read_text().splitlines())
    return [Point(where, call, int(number)) for where, call, number in rows]
