"""Reading an sdist: what its build needs, how old it is, its files unpacked safely."""

from __future__ import annotations

import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packaging.requirements import InvalidRequirement

from orchestrator.errors import ArtifactError
from orchestrator.resolve.builds import requires_of

EARLIEST_S = 315_532_800
"""1980-01-01, the first time that a zip archive can write."""


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


def unpack_sdist(file: Path, name: str, folder: Path) -> tuple[Path, int]:
    """Write an sdist's files below a folder; return their root, and the newest one's time.

    The time is in seconds since 1970, and for builds whose outcome must not depend on today.

    Raises:
        ArtifactError: It is no sdist, or holds what would leave the folder.
    """
    with _opened(file, name) as archive:
        root = _root_of(archive, name)
        newest_s = max((int(member.mtime) for member in archive), default=0)
        try:
            archive.extractall(folder, filter="data")
        except (tarfile.TarError, OSError) as error:
            raise _broken(name, str(error)) from error
    return folder / root, max(newest_s, EARLIEST_S)


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
