"""Writing files so that they are there whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from orchestrator.errors import disk_error
from orchestrator.links import refuse_foreign_links


@contextmanager
def replacing(
    path: Path, *, mode: int = 0o644, sync: bool = False, buffer_bytes: int = -1
) -> Iterator[BinaryIO]:
    """Open a new file beside `path` that takes its place when the block ends well.

    `mode` is subject to the umask. `sync` waits until the bytes are on the disk.

    Raises:
        OrchError: The disk is full, the folder cannot be written to, or is another user's link.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_foreign_links(path.parent)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb", buffer_bytes) as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode & ~_umask())
            if sync:
                os.fsync(file.fileno())
        Path(temporary).replace(path)
        temporary = ""
    except OSError as error:
        where = Path(error.filename or path)
        is_ours = where.name.startswith(f".{path.name}.")  # nobody knows that name
        raise disk_error(error, path if is_ours else where) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def write_text(path: Path, text: str, *, sync: bool = False) -> None:
    """Write a text file whole or not at all.

    Raises:
        OrchError: As for `replacing`.
    """
    with replacing(path, sync=sync) as file:
        file.write(text.encode("utf-8"))


def write_output(path: Path, text: str) -> None:
    """Write a file that a person named, whole or not at all.

    A pipe, a device or a descriptor such as `/dev/stdout` is written to: it must not be replaced.

    Raises:
        OrchError: As for `replacing`, or nobody takes what is written.
    """
    if not _is_stream(path):
        write_text(path, text)
        return
    try:
        with path.open("wb") as stream:
            stream.write(text.encode("utf-8"))
    except OSError as error:
        raise disk_error(error, path) from error


def _is_stream(path: Path) -> bool:
    folder = os.path.realpath(path.parent)
    if folder == "/dev" or folder.startswith("/proc/"):
        return True  # a descriptor may lead to a regular file that others write to as well
    try:
        kind = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def _umask() -> int:
    """Return the process's umask; reading it means setting it, so it is read once."""
    return _UMASK


_UMASK = os.umask(0o022)
os.umask(_UMASK)
