"""What runs leave for `orch gc` to see: that they are at work in a folder, and what they used."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

GUARD = "gc.guard"
_HOUR_S = 3600.0


@contextmanager
def working_in(*folders: Path) -> Iterator[None]:
    """Keep `orch gc` out of folders while the block runs; wait for one that is at work there.

    Any number of runs work in a folder at once. A run that is killed lets go by that.
    """
    with ExitStack() as held:
        for folder in folders:
            # Who may not write there removes nothing there either, and reads as before.
            with suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
                guard = os.open(folder / GUARD, os.O_RDONLY | os.O_CREAT, 0o666)
                held.callback(os.close, guard)
                fcntl.flock(guard, fcntl.LOCK_SH)
        yield


@contextmanager
def alone_in(folder: Path) -> Iterator[bool]:
    """Keep all runs out of a folder while the block runs, if none is at work there now.

    Tells whether none was; where it tells no, nothing may be removed. A folder that is not there
    is nobody's.
    """
    if not folder.is_dir():
        yield True
        return
    guard = os.open(folder / GUARD, os.O_RDONLY | os.O_CREAT, 0o666)
    try:
        yield is_free(guard)
    finally:
        os.close(guard)


def is_free(guard: int) -> bool:
    """Take a lock for oneself, without waiting, and tell whether nobody had it."""
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def note_use(path: str | Path) -> os.stat_result | None:
    """Return what a file is, None where there is none; it counts as used now.

    That is its time of modification, to the hour: whoever reads much writes little by it.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - asked of every package of every image
    except (FileNotFoundError, NotADirectoryError):
        return None
    if status.st_mtime < time.time() - _HOUR_S:
        with suppress(OSError):  # another user's cache: readable, and no times can be set
            os.utime(path)
    return status
