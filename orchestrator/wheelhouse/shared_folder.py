"""A shared level that is a folder: on this machine, or mounted from another."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from orchestrator.atomic import replacing, write_text
from orchestrator.errors import OrchError
from orchestrator.levels import LevelError, Sink

_CHUNK = 1 << 20


class FolderLevel:
    """Files below `FOLDER/sha256/ab/`, by their sha256; beside each a `.name` with its name."""

    is_local = True

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self.name = name

    def path(self, sha256: str) -> Path:
        """Return where a file lies, or would lie."""
        return self._folder / "sha256" / sha256[:2] / sha256

    def fetch(self, sha256: str, into: Sink) -> bool:
        try:
            file = _open_file(self.path(sha256))
        except FileNotFoundError:
            self._check_folder()
            return False
        except OSError as error:
            raise self._unusable(error) from error
        with file:
            while data := self._read(file):
                into.write(data)
        return True

    def sizes(self, sha256s: Collection[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for sha256 in sha256s:
            try:
                status = self.path(sha256).lstat()
                if stat.S_ISREG(status.st_mode):
                    found[sha256] = status.st_size
            except FileNotFoundError:
                continue
            except OSError as error:
                raise self._unusable(error) from error
        return found

    def put(self, sha256: str, file: Path, name: str) -> None:
        path = self.path(sha256)
        try:
            with replacing(path, sync=True) as target, file.open("rb") as source:
                shutil.copyfileobj(source, target, _CHUNK)
            write_text(path.with_suffix(".name"), f"{name}\n")
        except OrchError as error:
            raise LevelError(f"{self.name}: {error.message}", hint=error.hint) from error

    def _read(self, file: BinaryIO) -> bytes:
        """Read the next piece: what fails here is the level's fault, what the sink does is not."""
        try:
            return file.read(_CHUNK)
        except OSError as error:
            raise self._unusable(error) from error

    def _check_folder(self) -> None:
        if not self._folder.is_dir():
            raise LevelError(
                f"{self.name} does not exist",
                hint="mount it, or let `orch wheels push` make it",
            )

    def _unusable(self, error: OSError) -> LevelError:
        hint = "mount it again, or let the user who runs orch read it"
        return LevelError(f"{self.name} cannot be read: {error.strerror or error}", hint=hint)


def _open_file(path: Path) -> BinaryIO:
    """Open a file to read; a link, a pipe or a device, which may have no end, is none.

    Raises:
        OSError: It is none, or may not be read.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(handle, "rb")
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        file.close()
        raise OSError(errno.EINVAL, f"{path.name} is no file")
    return file
