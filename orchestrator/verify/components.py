"""What an image's bytes belong to: a Debian package, a wheel, a fetched file, or just a file."""

from __future__ import annotations

import csv
import posixpath
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum

from orchestrator.verify.contents import Contents

_PYC = re.compile(r"(.*/)?__pycache__/([^/]+?)\.cpython-\d+(?:\.opt-\d)?\.pyc")
_DPKG = re.compile(r"var/lib/dpkg/(?:status\.d|info)/([^/:]+?)(?::[^/.]+)?\.(list|md5sums)")
_MD5_CHARACTERS = 32


class Origin(Enum):
    """What put a file into an image."""

    DEBIAN = "debian"
    PYTHON = "python"
    FETCHED = "fetched"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Component:
    """A part of an image, and the size of its files, unpacked."""

    origin: Origin
    name: str
    size_bytes: int
    files: int = 1


def components_of(contents: Contents, fetched: Collection[str] = ()) -> tuple[Component, ...]:
    """Return what an image consists of, the biggest first; a file of no package is one by itself.

    `fetched` are the paths of files that recipes fetch.
    """
    owners = owners_of(contents)
    sizes: dict[tuple[Origin, str], int] = {}
    counts: dict[tuple[Origin, str], int] = {}
    for path, file in contents.files.items():
        if file.kind != "file":
            continue
        single = Origin.FETCHED if f"/{path}" in fetched else Origin.FILE
        key = owners.get(path, (single, f"/{path}"))
        sizes[key] = sizes.get(key, 0) + file.size_bytes
        counts[key] = counts.get(key, 0) + 1
    found = [Component(*key, size_bytes, counts[key]) for key, size_bytes in sizes.items()]
    return tuple(sorted(found, key=lambda item: (-item.size_bytes, item.origin.value, item.name)))


def owners_of(contents: Contents) -> dict[str, tuple[Origin, str]]:
    """Return which package each file is of; files of none are left out.

    Bytecode is its source's.
    """
    owners = {path: (Origin.DEBIAN, name) for name, path in _debian_files(contents)}
    owners |= {path: (Origin.PYTHON, title) for title, path in _python_files(contents)}
    for path in contents.files:
        match = _PYC.fullmatch(path)
        if match and (owner := owners.get(f"{match[1] or ''}{match[2]}.py")):
            owners.setdefault(path, owner)
    return owners


def _debian_files(contents: Contents) -> Iterator[tuple[str, str]]:
    """Yield package and path; names below a link of a merged /usr are followed."""
    for path, text in contents.texts.items():
        match = _DPKG.fullmatch(path)
        if match is None:
            continue
        yield match[1], path
        for line in text.splitlines():
            name = line if match[2] == "list" else line[_MD5_CHARACTERS:]
            folder, _, base = name.strip().strip("/").rpartition("/")
            yield match[1], posixpath.join(contents.tree.real_folder(folder), base)


def _python_files(contents: Contents) -> Iterator[tuple[str, str]]:
    """Yield distribution and path.

    Source: PyPA specification "Recording installed projects", the RECORD file.
    """
    for wheel in contents.wheels:
        site = posixpath.dirname(posixpath.dirname(wheel.record))
        for row in csv.reader(contents.texts[wheel.record].splitlines()):
            if row:
                path = posixpath.normpath(posixpath.join("/", site, row[0])).lstrip("/")
                yield f"{wheel.name} {wheel.version}", path
