"""What an image that was not assembled here holds of what Python packages stand on."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.errors import AssemblyError
from orchestrator.oci.reading import UNREADABLE, members, opened_layer
from orchestrator.resolve.python.offered import Target

_PYTHON = re.compile(r"(?:.*/)?bin/python(3\.\d+)")
_LIBC = re.compile(r"(?:.*/)?lib(?:64)?/(?:[^/]+-linux-gnu[^/]*/)?libc\.so\.6")
_VERSION = re.compile(rb"release version (\d{1,4})\.(\d{1,4})")
_NAMED = re.compile(r"libc-(\d{1,4})\.(\d{1,4})\.so")
_MUSL = re.compile(r"(?:.*/)?lib/ld-musl-[^/]+\.so\.1")
_MOST_BYTES = 32 << 20
"""More of a C library is not read; it is a twentieth of that."""
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


@dataclass(frozen=True, slots=True)
class Ground:
    """The folders of interpreters by their minor version, and the C library's version.

    `glibc` is None where it is not told, or where there is none.
    """

    pythons: tuple[tuple[str, str], ...] = ()
    glibc: tuple[int, int] | None = None
    has_musl: bool = False

    def home_of(self, target: Target, file: str, base: str) -> str:
        """Return the folder of the interpreter that wheels for a target run on.

        Raises:
            AssemblyError: There is none, or the C library is another or too old.
        """
        homes = [folder for version, folder in self.pythons if version == target.python]
        if not homes:
            there = ", ".join(f"{folder}/python{version}" for version, folder in self.pythons)
            raise AssemblyError(
                f"[python] requirements need Python {target.python}, and {base} has "
                + (f"only {there}" if there else "no Python"),
                file=file,
                hint=f"install Python {target.python} there, or set version in [python] of the "
                "settings to what is there",
            )
        if self.has_musl and self.glibc is None:
            raise AssemblyError(
                f"{base} has musl as its C library, and wheels are locked for glibc",
                file=file,
                hint="let it stand on an image with glibc, such as one of Debian",
            )
        if self.glibc is not None and self.glibc < target.glibc:
            found, wanted = (".".join(map(str, pair)) for pair in (self.glibc, target.glibc))
            raise AssemblyError(
                f"wheels are locked for glibc {wanted}, and {base} has {found}",
                file=file,
                hint=f'set glibc = "{found}" in [image.{base}] of the settings, and run: orch lock',
            )
        return "/usr/bin" if "/usr/bin" in homes else homes[0]


def read_ground(layers: Iterable[Path]) -> Ground:
    """Read layers from the bottom up; what one takes away is gone (OCI image specification).

    Raises:
        AssemblyError: A layer is not here, or damaged.
    """
    found: dict[str, tuple[int, int] | None] = {}
    for blob in layers:
        try:
            with opened_layer(blob) as archive:
                _read_layer(archive, found)
        except UNREADABLE as error:
            raise AssemblyError(
                f"layer {blob.name[:12]} of the image below cannot be read: {error}",
                hint="build that image again with orch build --force",
            ) from error
    pythons = sorted(
        (match[1], f"/{PurePosixPath(path).parent}".replace("//", "/"))
        for path in found
        if (match := _PYTHON.fullmatch(path))
    )
    libraries = [version for path, version in found.items() if _LIBC.fullmatch(path) and version]
    return Ground(
        tuple((version, "/usr/bin" if folder == "/bin" else folder) for version, folder in pythons),
        max(libraries, default=None),
        any(_MUSL.fullmatch(path) for path in found),
    )


def _read_layer(archive: tarfile.TarFile, found: dict[str, tuple[int, int] | None]) -> None:
    new: dict[str, tuple[int, int] | None] = {}
    for member in members(archive):
        path = str(PurePosixPath(member.name.lstrip("/")))
        name = path.rpartition("/")[2]
        if name.startswith(_WHITEOUT):
            folder = path.removesuffix(name)
            gone = folder.rstrip("/") if name == _OPAQUE else folder + name.removeprefix(_WHITEOUT)
            for known in [key for key in found if _is_below(key, gone)]:
                del found[known]
        elif _LIBC.fullmatch(path):
            new[path] = _libc_version(archive, member)
        elif _PYTHON.fullmatch(path) or _MUSL.fullmatch(path):
            new[path] = None
    found.update(new)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _libc_version(archive: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[int, int] | None:
    """Return what a C library says of itself; older ones are links to a file named for it."""
    if member.issym():
        match = _NAMED.fullmatch(member.linkname.rpartition("/")[2])
        return (int(match[1]), int(match[2])) if match else None
    file = archive.extractfile(member) if member.isreg() else None
    said = _VERSION.search(file.read(_MOST_BYTES)) if file else None
    return (int(said[1]), int(said[2])) if said else None
