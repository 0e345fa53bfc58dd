"""Contexts, staged: exactly what an image is made from, with times that follow from content.

BuildKit sends a file again only when its size or time changed since the last build of that folder;
an edit that keeps both would go unseen. Here a file's time is a function of its bytes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import OrchError, disk_error
from orchestrator.files import SourceFile

_EPOCH_S = 1_000_000_000
_WINDOW_S = 1 << 25
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Staged:
    """A context that is staged: its folder, and the Dockerfile beside it."""

    context: Path
    dockerfile: Path


@contextlib.contextmanager
def staged(
    folder: Path, context: Path, files: Sequence[SourceFile], dockerfile: Path, sha256: str
) -> Iterator[Staged]:
    """Stage what an image is made from in a folder of its own, for as long as it is used.

    The folder's path is the same in every build, for BuildKit knows by it what it has of a
    context. Two builds of one image wait for each other. `context` is where the files lie now.

    Raises:
        OrchError: A file is not any more what its digest says, or cannot be copied.
    """
    place = Staged(folder / "context", folder / "Dockerfile")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise disk_error(error, folder) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            _fill(place, context, files)
            _copy(dockerfile, place.dockerfile, 0o644, sha256)
            yield place
        finally:
            shutil.rmtree(place.context, ignore_errors=True)


def time_of(sha256: str) -> int:
    """Return the time, in nanoseconds, that a file of this content gets.

    Within a year of 2001, so that no file is from the future; one in 2^54 of two contents share it.
    """
    number = int(sha256[:16], 16)
    return (_EPOCH_S + number % _WINDOW_S) * 1_000_000_000 + (number >> 25) % 1_000_000_000


def _fill(place: Staged, context: Path, files: Sequence[SourceFile]) -> None:
    shutil.rmtree(place.context, ignore_errors=True)
    try:
        place.context.mkdir()
        for file in files:
            _stage(file, place.context / os.path.relpath(file.source, context))
        for folder, _, _ in os.walk(place.context):
            Path(folder).chmod(0o755)
            os.utime(folder, (_EPOCH_S, _EPOCH_S))
    except OSError as error:
        raise disk_error(error, Path(str(error.filename or place.context))) from error


def _stage(file: SourceFile, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.target.endswith("/"):
        target.mkdir(exist_ok=True)
    elif file.link:
        target.symlink_to(Path(file.source).readlink())
        time = time_of(hashlib.sha256(file.link.encode()).hexdigest())
        os.utime(target, ns=(time, time), follow_symlinks=False)
    else:
        _copy(Path(file.source), target, file.mode, file.sha256)


def _copy(source: Path, target: Path, mode: int, sha256: str) -> None:
    found = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as written:
        while chunk := read.read(_CHUNK):
            found.update(chunk)
            written.write(chunk)
    if found.hexdigest() != sha256:
        raise OrchError("changed while it was being built", file=source, hint="build again")
    target.chmod(mode)
    time = time_of(sha256)
    os.utime(target, ns=(time, time))
