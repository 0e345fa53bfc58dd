"""Writes `etc/ld.so.cache`: which file the dynamic linker takes for a library's name."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from orchestrator.engines.assembler.elf import ElfFile

_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = struct.Struct("<20sIIB3xI12x")
_ENTRY = struct.Struct("<iIIIQ")
_LITTLE_ENDIAN = 2
_FLAGS = {"x86_64": 0x0303, "aarch64": 0x0A03}
_PIECE = re.compile(r"\d+|\D")


@dataclass(frozen=True, slots=True)
class Library:
    """An entry of the cache: a library's name and the file it stands for."""

    soname: str
    path: str


@dataclass(frozen=True, slots=True)
class LibraryFile:
    """A name in a library folder: a shared library, or a symbolic link to one."""

    folder: str
    name: str
    elf: ElfFile
    is_link: bool


def library_folders(configuration: Mapping[str, str]) -> list[str]:
    """Return the folders that `etc/ld.so.conf` and its includes name, then the standard ones.

    `configuration` holds the texts of these files by path. Folders are absolute, as written
    and in ldconfig's order; a folder reached by two names counts by its first.

    Raises:
        Nothing: A missing file names no folders.
    """
    folders = [*_configured("etc/ld.so.conf", configuration), "/lib", "/usr/lib"]
    first: dict[str, str] = {}
    for folder in folders:
        first.setdefault(real_folder(folder), folder)
    return list(first.values())


def real_folder(folder: str) -> str:
    """Return a library folder's path from the root, without slash, in a merged /usr."""
    path = folder.strip("/")
    return f"usr/{path}" if path.partition("/")[0] in {"lib", "lib64"} else path


def _configured(file: str, configuration: Mapping[str, str]) -> list[str]:
    folders = []
    for line in configuration.get(file, "").splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("include"):
            pattern = text.removeprefix("include").strip().lstrip("/")
            for name in sorted(configuration):
                if fnmatchcase(name, pattern):
                    folders += _configured(name, configuration)
        elif text:
            folders.append(text.rstrip("/"))
    return folders


def choose_libraries(files: Iterable[LibraryFile]) -> tuple[list[Library], dict[str, str]]:
    """Choose the libraries of one folder as ldconfig does, and the links it would make.

    The second value maps a link's path to its target, for sonames that no name stands for.

    Source: glibc 2.36, elf/ldconfig.c, search_dir.
    """
    chosen: dict[str, LibraryFile] = {}
    for file in sorted(files, key=lambda file: file.name):
        if not _is_library_name(file.name):
            continue
        soname = file.elf.soname or file.name
        if file.is_link and not _stands_for(file.name, soname):
            file = LibraryFile(file.folder, file.name, file.elf, is_link=False)  # noqa: PLW2901
        if file.is_link:
            soname = file.name
        other = chosen.get(soname)
        if other is None or _is_preferred(file, other):
            chosen[soname] = file
    libraries = [Library(name, f"{file.folder}/{name}") for name, file in chosen.items()]
    links = {
        f"{real_folder(file.folder)}/{name}": file.name
        for name, file in chosen.items()
        if not file.is_link and file.name != name
    }
    return libraries, links


def _is_library_name(name: str) -> bool:
    return name.startswith(("lib", "ld-")) and ".so" in name


def _stands_for(link: str, soname: str) -> bool:
    """Tell whether a link is its target's soname, or the linker's `.so` of it."""
    return link == soname or (link.endswith(".so") and soname.startswith(link))


def _is_preferred(file: LibraryFile, other: LibraryFile) -> bool:
    if file.is_link != other.is_link:
        return other.is_link
    return _order(other.name) < _order(file.name)


def write_cache(libraries: Sequence[Library], machine: str) -> bytes:
    """Return the cache's bytes; of two libraries of one name the first wins.

    Source: glibc 2.36, sysdeps/generic/dl-cache.h, `glibc-ld.so.cache1.1`.

    Raises:
        KeyError: The machine is none that images are made for.
    """
    ordered = _sorted_for_search(libraries)
    start = _HEADER.size + _ENTRY.size * len(ordered)
    strings = bytearray()
    rows = []
    for library in ordered:
        value = start + len(strings)
        strings += library.path.encode() + b"\0"
        key = value + len(library.path.encode()) - len(library.soname.encode())
        rows.append(_ENTRY.pack(_FLAGS[machine], key, value, 0, 0))
    header = _HEADER.pack(_MAGIC, len(rows), len(strings), _LITTLE_ENDIAN, 0)
    return header + b"".join(rows) + bytes(strings)


def _sorted_for_search(libraries: Sequence[Library]) -> list[Library]:
    """Sort descending, as the linker's binary search expects; equal names keep their order."""
    return sorted(libraries, key=lambda library: _order(library.soname), reverse=True)


def _order(name: str) -> list[tuple[int, int]]:
    """Return a key that orders names as `_dl_cache_libcmp` does: digits are numbers."""
    return [
        (1, int(piece)) if piece.isdigit() else (0, ord(piece)) for piece in _PIECE.findall(name)
    ]
