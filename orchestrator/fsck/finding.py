"""What is wrong with what is kept on this machine, as values."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Where(Enum):
    """Which of the kept things a finding is about."""

    LAYOUT = "layout"
    RECORDS = "records"
    CACHE = "cache"
    WHEELHOUSE = "wheelhouse"


class Fault(Enum):
    """What is wrong: other bytes than promised, no sense in them, or something is not there."""

    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was when it was found bad."""

    path: Path
    inode: int

    def drop(self) -> None:
        """Remove it, unless another file took its place meanwhile: that one is whole.

        Raises:
            OSError: It cannot be removed.
        """
        with suppress(FileNotFoundError):
            if self.path.lstat().st_ino == self.inode:
                self.path.unlink()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `what` says so to people.

    To be rid of it, `drops` are removed and the layout's name `unname` is taken off.
    """

    where: Where
    fault: Fault
    path: Path
    what: str
    drops: tuple[Seen, ...] = ()
    unname: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was read, downloads, layers, blobs and segments, and what is wrong."""

    files: int
    size_bytes: int
    findings: tuple[Finding, ...]


def seen(path: Path) -> tuple[Seen, ...]:
    """Return a file as it is now; nothing for one that is not there."""
    try:
        return (Seen(path, path.lstat().st_ino),)
    except OSError:
        return ()


def unreadable(where: Where, path: Path, why: object, *also: Path) -> Finding:
    """Return that a file cannot be read; `also` are those that go with it."""
    drops = tuple(item for file in (path, *also) for item in seen(file))
    return Finding(where, Fault.UNREADABLE, path, f"cannot be read: {why}", drops)
