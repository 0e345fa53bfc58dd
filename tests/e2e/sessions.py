"""Builds in sessions of their own: ended with the block, and all their processes seen to end."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.monorepo import TIMEOUT_S, Monorepo


def members_of(session: int) -> Iterator[int]:
    """Yield what still runs of a session."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            yield int(path.parent.name)


def all_end(session: int) -> bool:
    """Tell whether all of a session ends: the processes that helped see the main one's end."""
    for process in members_of(session):
        try:
            handle = os.pidfd_open(process)
        except ProcessLookupError:
            continue
        ended, _, _ = select.select([handle], [], [], TIMEOUT_S)
        os.close(handle)
        if not ended:
            return False
    return True


@contextmanager
def running(repo: Monorepo, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = repo.start("build", "--jobs", "2", *arguments)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        if process.stderr is not None:
            process.stderr.close()
        process.wait(TIMEOUT_S)
