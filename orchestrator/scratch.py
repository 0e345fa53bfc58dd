"""Folders for the time of a piece of work, in the user's cache; killed runs leave none for long.

The system's folder for temporary files is shared by all users, and nobody clears it on many
machines. A folder is held by a lock on itself, of which the kernel lets go whatever ends a run.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from orchestrator.links import refuse_foreign_links
from orchestrator.paths import cache_folder
from orchestrator.usage import is_free

SCRATCH = "scratch"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make an empty folder that no other user can read; it is gone when the block ends.

    What runs that were killed left goes too. A cache that cannot be written to, or locked, has
    no such folders: then it is one of the system's.

    Raises:
        OrchError: The place in the cache is another user's link.
    """
    with ExitStack() as held:
        try:
            folder = _claim(cache_folder() / SCRATCH, held)
        except OSError:
            folder = held.enter_context(tempfile.TemporaryDirectory(prefix="orch-"))
        yield Path(folder).resolve()


def find_abandoned(cache: Path) -> list[Path]:
    """Return the folders of runs that are gone: nobody will want them again."""
    try:
        with ExitStack() as held:
            _lock(cache / SCRATCH, held)
            return _find_abandoned(cache / SCRATCH)
    except OSError:  # there is none, or its user is another
        return []


def _claim(place: Path, held: ExitStack) -> str:
    place.mkdir(parents=True, exist_ok=True)
    refuse_foreign_links(place)
    # What is made is not locked yet for a moment: meanwhile nobody may look.
    with ExitStack() as alone:
        _lock(place, alone)
        for folder in _find_abandoned(place):
            shutil.rmtree(folder, ignore_errors=True)
        made = tempfile.TemporaryDirectory(dir=place, prefix="")
        _lock(Path(made.name), held)
    return held.enter_context(made)


def _find_abandoned(place: Path) -> list[Path]:
    return sorted(Path(item.path) for item in os.scandir(place) if _is_abandoned(item))


def _is_abandoned(item: os.DirEntry[str]) -> bool:
    try:
        handle = os.open(item, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # another user's, or gone by now
        return False
    try:
        return is_free(handle)
    finally:
        os.close(handle)


def _lock(folder: Path, held: ExitStack) -> None:
    """Lock a folder for oneself until the stack is closed; wait for who holds it.

    Raises:
        OSError: It is not there, or cannot be locked.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    held.callback(os.close, handle)
    fcntl.flock(handle, fcntl.LOCK_EX)
