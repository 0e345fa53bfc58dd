"""Writing the members of a tar archive that others made below a folder, and nowhere else."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from orchestrator.oci.reading import members

_CHUNK = 1 << 20
_LATEST_S = 4_354_819_198.0
"""The end of 2107, the last time that a zip archive can write."""


def unpack(archive: tarfile.TarFile, folder: Path, most_bytes: int) -> Iterator[tarfile.TarInfo]:
    """Write members below a folder, and yield each when it is there.

    Files have the times they had and the mode 0755 or 0644; owners, set-id bits and capabilities
    are not kept. A hard link becomes a copy. Filters of `tarfile` would do some of this (PEP 706),
    but Debian 12's Python has none.

    Raises:
        TarError: The archive is damaged, holds more than `most_bytes`, or holds what would leave
            the folder, or what is neither a file, a folder nor a link.
        OSError: The disk is full, or two members are in each other's way.
    """
    left = most_bytes
    for info in members(archive):
        left -= info.size
        if left < 0:
            raise tarfile.ReadError(f"it holds more than {most_bytes} bytes")
        _write(archive, info, folder)
        yield info


def is_below(folder: Path, path: str) -> bool:
    """Tell whether a path stays below a folder, through the links that are there already too."""
    if path.startswith("/"):
        return False
    return (folder / path).resolve().is_relative_to(folder.resolve())


def _write(archive: tarfile.TarFile, info: tarfile.TarInfo, folder: Path) -> None:
    target = folder / info.name
    if not is_below(folder, info.name):
        raise tarfile.ReadError(f"{info.name} would leave its folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    if info.isdir():
        target.mkdir(exist_ok=True)
        return
    target.unlink(missing_ok=True)  # of two members with one name the later counts
    if info.issym():
        if not is_below(folder, str(PurePosixPath(info.name).parent / info.linkname)):
            raise tarfile.ReadError(f"{info.name} leads out of its folder")
        target.symlink_to(info.linkname)
    elif info.islnk():
        _copy_linked(info, folder)
    elif info.isfile() and (content := archive.extractfile(info)):
        with target.open("wb") as out:
            shutil.copyfileobj(content, out, _CHUNK)
        _finish(target, info)
    else:
        raise tarfile.ReadError(f"{info.name} is neither a file nor a folder")


def _copy_linked(info: tarfile.TarInfo, folder: Path) -> None:
    source = folder / info.linkname
    if not is_below(folder, info.linkname) or not source.is_file():
        raise tarfile.ReadError(f"{info.name} is a link to a file that is not there")
    shutil.copyfile(source, folder / info.name)
    _finish(folder / info.name, info)


def time_of(info: tarfile.TarInfo) -> float:
    """Return a member's time in seconds since 1970, also where it gives none that there is."""
    return min(max(0.0, float(info.mtime)), _LATEST_S)  # in this order "not a number" is 0


def _finish(target: Path, info: tarfile.TarInfo) -> None:
    target.chmod(0o755 if info.mode & 0o111 else 0o644)
    os.utime(target, (time_of(info), time_of(info)))
