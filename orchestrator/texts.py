"""Text files that people write: read whole, and never waited for."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

CONFLICT = "a merge conflict is not settled"
"""What is wrong with a file of which `conflict_line` has a line."""

_MARK = re.compile(r"^<{7} ", re.MULTILINE)


def read_text(file: Path) -> str:
    """Return what a file says; the byte order mark that some editors write is no part of it.

    A pipe would be waited for and a device has no end: they are not read.

    Raises:
        OSError: It cannot be read, or is no regular file.
        UnicodeDecodeError: It is no UTF-8 text.
    """
    with open(file, encoding="utf-8-sig", opener=_open_at_once) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device", str(file))
        return stream.read()


def conflict_line(text: str) -> int | None:
    """Return the line on which git marks the first conflict that nobody settled; None without."""
    mark = _MARK.search(text)
    return text.count("\n", 0, mark.start()) + 1 if mark else None


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
