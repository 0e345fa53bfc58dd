"""Links that others placed in folders that several users share: they are not followed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from orchestrator.errors import OrchError

_ROOT = 0
_LEVELS = 4
"""So deep below a cache's root files lie."""


def refuse_foreign_links(folder: Path) -> None:
    """Refuse a folder that is a link of another user, or is below one.

    One's own links, and those that root made, are followed: people move their caches by them.

    Raises:
        OrchError: Somebody else's link leads elsewhere.
        OSError: A folder cannot be looked at.
    """
    for path in (folder, *folder.parents[: _LEVELS - 1]):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode) and status.st_uid not in {_ROOT, os.getuid()}:
            raise _elsewhere(path, f"is a link that user {status.st_uid} made")


def open_shared(path: Path) -> BinaryIO:
    """Open a file to append to, which may be made; no link and no pipe is taken for it.

    Raises:
        OrchError: Something else than a file is there.
        OSError: It cannot be opened.
    """
    if path.is_symlink():
        raise _elsewhere(path, "is a link")
    file = open(path, "ab", opener=_open_itself)  # noqa: SIM115 - Path.open has no opener
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        file.close()
        raise _elsewhere(path, "is no file of its own")
    return file


def _open_itself(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def is_file(path: Path) -> bool:
    """Tell whether a file is there that is no link."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _elsewhere(path: Path, what: str) -> OrchError:
    return OrchError(
        f"{path} {what}, and is not written through",
        hint="see who put it there and remove it, or let ORCH_CACHE name a folder of your own",
    )
