"""Stamps: what the file system says of files, from which it can be told that they did not move.

A stamp holds a file's size, mode, inode and both its times, as git's index does. Equal stamps mean
equal contents where the times were *settled* when the content was read: older than the clock's
tick, within which a file could change again unseen (git calls this racy). Times can be put back,
but that moves the ctime; another file in the same place has another inode.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import stat
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from orchestrator.files import excluder, is_never_copied, source_text
from orchestrator.model import FileCopy

_SETTLED_NS = 2_000_000_000
"""How old a file's times must be to be trusted: the coarsest clock of a file system in use."""


class Stamp(NamedTuple):
    """What files look like to the file system, and the newest of their times."""

    text: str
    newest_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Return the stamp of one file."""
        times = status.st_mtime_ns, status.st_ctime_ns
        text = f"{status.st_size} {times[0]} {times[1]} {status.st_ino} {status.st_mode:o}"
        return cls(text, max(times))

    def was_settled(self, looked_ns: int) -> bool:
        """Tell whether files that looked so then cannot have changed since and look so still."""
        return self.newest_ns < looked_ns - _SETTLED_NS


def look_ns() -> int:
    """Return the time of a look at files that is about to be taken."""
    return time.time_ns()


class CopiedStamp(NamedTuple):
    """What all that a recipe copies looks like, and whether a change since would show."""

    text: str
    was_settled: bool


class CopiedStamps:
    """Stamps of all that a recipe copies, from one walk over names that opens no file."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._are_plain: dict[str, bool] = {root: True}

    def of(self, folder: str, copies: Iterable[FileCopy]) -> CopiedStamp | None:
        """Return the stamp of what the `[[files]]` of a folder's recipe select, or None.

        It has none where a source is missing or reached through a link: whether that leads out
        of the workspace is for the reading of the files to find out.
        """
        seen: list[object] = []
        newest_ns, looked_ns = 0, look_ns()
        try:
            for copy in copies:
                source = source_text(self._root, folder, copy)
                status = os.lstat(source)
                if stat.S_ISLNK(status.st_mode) or not self._is_plain(_above(source)):
                    return None
                seen += (source, status.st_dev)
                newest_ns = max(newest_ns, _look(source, status, copy.exclude, seen))
        except OSError:
            return None
        # Version 2 of the format writes equal values as equal bytes; it is never read.
        stamp = Stamp(hashlib.sha256(marshal.dumps(seen, 2)).hexdigest(), newest_ns)
        return CopiedStamp(stamp.text, stamp.was_settled(looked_ns))

    def _is_plain(self, folder: str) -> bool:
        """Tell whether a folder is the root or below it, and no part of its path is a link."""
        known = self._are_plain.get(folder)
        if known is None:
            is_below = folder.startswith(f"{self._root}/")
            known = is_below and self._is_plain(_above(folder)) and not _is_link(folder)
            self._are_plain[folder] = known
        return known


def _above(path: str) -> str:
    return os.path.dirname(path)  # noqa: PTH120 - paths are text here, for speed


def _is_link(path: str) -> bool:
    return stat.S_ISLNK(os.lstat(path).st_mode)


def _look(source: str, status: os.stat_result, exclude: tuple[str, ...], seen: list[object]) -> int:
    """Add what a source and all below it look like; return the newest of their times."""
    if not stat.S_ISDIR(status.st_mode):
        stamp = Stamp.of(status)
        seen.append(stamp.text)
        return stamp.newest_ns
    is_excluded = excluder(exclude) if exclude else None
    newest_ns, pending = 0, [""]
    while pending:
        below = pending.pop()
        folders, newest_of_folder_ns = _look_into(source, below, is_excluded, seen)
        pending += folders
        newest_ns = max(newest_ns, newest_of_folder_ns)
    return newest_ns


def _look_into(
    source: str, below: str, is_excluded: Callable[[str], bool] | None, seen: list[object]
) -> tuple[list[str], int]:
    """Add what the files of a folder look like; return its folders, and the newest time.

    The order is the file system's own: another order costs a reading, and nothing else.
    """
    folders, newest_ns = list[str](), 0
    with os.scandir(f"{source}/{below}") as entries:
        for entry in entries:
            name = entry.name
            if is_never_copied(name):
                continue
            path = below + name
            if entry.is_dir(follow_symlinks=False):
                if not (is_excluded and is_excluded(f"{path}/")):
                    folders.append(f"{path}/")
            elif not (is_excluded and is_excluded(path)):
                status = entry.stat(follow_symlinks=False)
                mtime_ns, ctime_ns = status.st_mtime_ns, status.st_ctime_ns
                seen += (path, status.st_size, mtime_ns, ctime_ns, status.st_ino, status.st_mode)
                if mtime_ns > newest_ns:  # noqa: PLR1730 - a call a file takes longer than all this
                    newest_ns = mtime_ns
                if ctime_ns > newest_ns:  # noqa: PLR1730 - likewise
                    newest_ns = ctime_ns
    return folders, newest_ns
