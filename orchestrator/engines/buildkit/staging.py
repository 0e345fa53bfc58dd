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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from orchestrator.errors import OrchError, disk_error
from orchestrator.files import SourceFile

_EPOCH_S = 1_000_000_000
_WINDOW_S = 1 << 25
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """Files for a context; they lie there as in `folder`, without one as their targets say."""

    folder: Path | None
    files: Sequence[SourceFile]

    def place(self, file: SourceFile) -> str:
        """Return a file's path in the context."""
        return os.path.relpath(file.source, self.folder) if self.folder else file.target


@dataclass(frozen=True, slots=True)
class Staged:
    """A context that is staged, the Dockerfile beside it, and named contexts by name."""

    context: Path
    dockerfile: Path
    named: Mapping[str, Path] = field(default_factory=dict)


@contextlib.contextmanager
def staged(
    folder: Path, context: Source, named: Mapping[str, Source], dockerfile: Path, sha256: str
) -> Iterator[Staged]:
    """Stage what an image is made from in a folder of its own, for as long as it is used.

    The folder's path is the same in every build, for BuildKit knows by it what it has of a
    context. Two builds of one image wait for each other. `sha256` is the Dockerfile's.

    Raises:
        OrchError: A file is not any more what its digest says, or cannot be copied.
    """
    folders = {name: folder / "named" / quote(name, safe="") for name in named}
    place = Staged(folder / "context", folder / "Dockerfile", folders)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise disk_error(error, folder) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            _remove(place)
            _fill(place.context, context)
            for name, source in named.items():
                _fill(folders[name], source)
            _copy(dockerfile, place.dockerfile, 0o644, sha256)
            # goes before a `.dockerignore` that is part of the context: all there is was chosen
            (folder / "Dockerfile.dockerignore").write_text("# nothing\n")
            yield place
        finally:
            _remove(place)


def time_of(sha256: str) -> int:
    """Return the time, in nanoseconds, that a file of this content gets.

    Within a year of 2001, so that no file is from the future; one in 2^54 of two contents share it.
    """
    number = int(sha256[:16], 16)
    return (_EPOCH_S + number % _WINDOW_S) * 1_000_000_000 + (number >> 25) % 1_000_000_000


def _remove(place: Staged) -> None:
    for folder in (place.context, *place.named.values()):
        shutil.rmtree(folder, ignore_errors=True)


def _fill(target: Path, source: Source) -> None:
    try:
        target.mkdir(parents=True)
        for file in source.files:
            _stage(file, target / source.place(file))
        for folder, _, _ in os.walk(target):
            Path(folder).chmod(0o755)
            os.utime(folder, (_EPOCH_S, _EPOCH_S))
    except OSError as error:
        raise disk_error(error, Path(str(error.filename or target))) from error


def _stage(file: SourceFile, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.target.endswith("/"):
        target.mkdir(exist_ok=True)
    elif file.link:
        target.symlink_to(Path(file.source).readlink())
        time = time_of(hashlib.sha256(file.link.encode()).hexdigest())
        os.utime(target, ns=(time, time), follow_symlinks=False)
    elif file.text is not None:
        target.write_text(file.text, "utf-8")
        _finish(target, file.mode, file.sha256)
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
    _finish(target, mode, sha256)


def _finish(target: Path, mode: int, sha256: str) -> None:
    target.chmod(mode)
    time = time_of(sha256)
    os.utime(target, ns=(time, time))
