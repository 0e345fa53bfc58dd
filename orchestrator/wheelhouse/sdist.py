"""Reading an sdist: what its build needs, how old it is, its files unpacked safely."""

from __future__ import annotations

import bz2
import errno
import gzip
import tarfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from packaging.requirements import InvalidRequirement

from orchestrator.errors import ArtifactError, disk_error
from orchestrator.oci.reading import (
    UNREADABLE,
    Believable,
    XzReader,
    members,
    open_tar,
)
from orchestrator.oci.unpacking import time_of, unpack
from orchestrator.resolve.builds import requires_of

EARLIEST_S = 315_532_800
"""1980-01-01, the first time that a zip archive can write."""

_ZIP = b"PK"
_LEGACY = "setuptools.build_meta:__legacy__"
_MOST_BYTES = 4 << 30
_MOST_PROJECT_BYTES = 4 << 20
_RATIO_FREE_BYTES, _MOST_RATIO = 256 << 20, 200
_OPENERS: Mapping[bytes, Callable[[BinaryIO], IO[bytes]]] = {
    b"\x1f\x8b": lambda packed: cast("IO[bytes]", gzip.GzipFile(fileobj=packed)),
    b"\xfd7zXZ": lambda packed: cast("IO[bytes]", XzReader(packed)),
    b"BZh": bz2.BZ2File,
}
"""How what begins with these bytes is unpacked."""


def read_build_requires(file: Path, name: str) -> tuple[str, ...]:
    """Return what an sdist's build needs (PEP 518), as PEP 508 lines.

    Raises:
        ArtifactError: It is no sdist, or its pyproject.toml cannot be read.
    """
    roots: set[str] = set()
    text: bytes | None = None
    with _opened(file, name) as archive:
        for member in members(archive):
            roots.add(root := _root_of(member))
            if member.isfile() and member.name.removeprefix("./") == f"{root}/pyproject.toml":
                content = archive.extractfile(member)
                text = content.read(_MOST_PROJECT_BYTES) if content else None
    _only(roots, name)
    try:
        return requires_of(tomllib.loads(text.decode("utf-8")) if text is not None else {})
    except (ValueError, RecursionError, InvalidRequirement) as error:
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
    except (OSError, ValueError, RecursionError, AttributeError, TypeError) as error:
        raise _broken(source.name, f"its pyproject.toml cannot be used: {error}") from error


def unpack_sdist(file: Path, name: str, folder: Path) -> tuple[Path, int]:
    """Write an sdist's files below a folder; return their root, and the newest one's time.

    The time is in seconds since 1970, and for builds whose outcome must not depend on today.

    Raises:
        ArtifactError: It is no sdist, or holds what would leave the folder.
    """
    roots: set[str] = set()
    newest_s = EARLIEST_S
    with _opened(file, name) as archive:
        for member in unpack(archive, folder, _MOST_BYTES):
            roots.add(_root_of(member))
            newest_s = max(newest_s, int(time_of(member)))
    return folder / _only(roots, name), newest_s


def _root_of(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix("./").partition("/")[0]


def _only(roots: set[str], name: str) -> str:
    found = roots - {"", "."}
    if len(found) != 1:
        raise _broken(name, "its files are not in one folder")
    return found.pop()


@contextmanager
def _opened(file: Path, name: str) -> Iterator[tarfile.TarFile]:
    limit_bytes = min(_MOST_BYTES, max(_RATIO_FREE_BYTES, _MOST_RATIO * file.stat().st_size))
    try:
        with file.open("rb") as packed:
            first = packed.read(max(map(len, _OPENERS)))
            packed.seek(0)
            if first.startswith(_ZIP):
                raise _broken(name, "sdists that are zip archives are not taken")
            opener = next((_OPENERS[magic] for magic in _OPENERS if first.startswith(magic)), None)
            plain = opener(packed) if opener else packed
            with open_tar(Believable(plain, limit_bytes)) as archive:
                yield archive
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise disk_error(error, Path(error.filename or file)) from error
        raise _broken(name, str(error)) from error


def _broken(name: str, message: str) -> ArtifactError:
    return ArtifactError(
        f"{name} is no sdist that can be built: {message}",
        hint="pin another version of the package",
    )
