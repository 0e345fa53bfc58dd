"""Reading an sdist: what its build needs, how old it is, its files unpacked safely."""

from __future__ import annotations

import os
import shutil
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement

from orchestrator.errors import ArtifactError
from orchestrator.resolve.builds import requires_of

EARLIEST_S = 315_532_800
"""1980-01-01, the first time that a zip archive can write."""

_LEGACY = "setuptools.build_meta:__legacy__"


def read_build_requires(file: Path, name: str) -> tuple[str, ...]:
    """Return what an sdist's build needs (PEP 518), as PEP 508 lines.

    Raises:
        ArtifactError: It is no sdist, or its pyproject.toml cannot be read.
    """
    with _opened(file, name) as archive:
        root = _root_of(archive, name)
        try:
            member = archive.extractfile(f"{root}/pyproject.toml")
        except KeyError:
            member = None
        if member is None:
            return requires_of({})
        try:
            return requires_of(tomllib.loads(member.read().decode("utf-8")))
        except (ValueError, InvalidRequirement) as error:
            raise _broken(name, f"its pyproject.toml cannot be used: {error}") from error


def read_backend(source: Path) -> tuple[str, tuple[str, ...]]:
    """Return an unpacked sdist's build backend, and the folders in it that it is found in.

    Source: PEP 517, "build-backend" and "backend-path"; without one it is setuptools' old way.

    Raises:
        ArtifactError: Its pyproject.toml cannot be read.
    """
    try:
        text = (source / "pyproject.toml").read_text("utf-8")
        table = tomllib.loads(text).get("build-system", {})
        return str(table.get("build-backend", _LEGACY)), tuple(table.get("backend-path", ()))
    except FileNotFoundError:
        return _LEGACY, ()
    except (ValueError, AttributeError, TypeError) as error:
        raise _broken(source.name, f"its pyproject.toml cannot be used: {error}") from error


def unpack_sdist(file: Path, name: str, folder: Path) -> tuple[Path, int]:
    """Write an sdist's files below a folder; return their root, and the newest one's time.

    The time is in seconds since 1970, and for builds whose outcome must not depend on today.

    Raises:
        ArtifactError: It is no sdist, or holds what would leave the folder.
    """
    with _opened(file, name) as archive:
        root = _root_of(archive, name)
        newest_s = max((int(member.mtime) for member in archive), default=0)
        for member in archive:
            _unpack(archive, member, name, folder)
    return folder / root, max(newest_s, EARLIEST_S)


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, folder: Path) -> None:
    """Write a member, with the times that makefiles compare and no more than two modes.

    Filters of `tarfile` would do (PEP 706), but Debian 12's Python has none.
    """
    target = folder / member.name
    if not _is_below(folder, member.name):
        raise _broken(name, f"{member.name} would leave its folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        target.mkdir(exist_ok=True)
        return
    if member.issym():
        if not _is_below(folder, str(PurePosixPath(member.name).parent / member.linkname)):
            raise _broken(name, f"{member.name} leads out of its folder")
        target.symlink_to(member.linkname)
        return
    content = archive.extractfile(member) if member.isfile() or member.islnk() else None
    if content is None:
        raise _broken(name, f"{member.name} is neither a file nor a folder")
    with target.open("wb") as out:
        shutil.copyfileobj(content, out)
    target.chmod(0o755 if member.mode & 0o111 else 0o644)
    os.utime(target, (member.mtime, member.mtime))


def _is_below(folder: Path, path: str) -> bool:
    """Tell whether a path stays below a folder, through the links that are there already too."""
    if path.startswith("/"):
        return False
    return (folder / path).resolve().is_relative_to(folder.resolve())


def _root_of(archive: tarfile.TarFile, name: str) -> str:
    roots = {member.name.removeprefix("./").partition("/")[0] for member in archive} - {"", "."}
    if len(roots) != 1:
        raise _broken(name, "its files are not in one folder")
    return roots.pop()


@contextmanager
def _opened(file: Path, name: str) -> Iterator[tarfile.TarFile]:
    if zipfile.is_zipfile(file):
        raise _broken(name, "sdists that are zip archives are not taken")
    try:
        with tarfile.open(file) as archive:
            yield archive
    except (tarfile.TarError, EOFError, OSError) as error:
        raise _broken(name, str(error)) from error


def _broken(name: str, message: str) -> ArtifactError:
    return ArtifactError(
        f"{name} is no sdist that can be built: {message}",
        hint="pin another version of the package",
    )
