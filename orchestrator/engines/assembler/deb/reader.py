"""Reads Debian packages: the ar archive, its control files, and its data as a stream."""

from __future__ import annotations

import posixpath
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from orchestrator.engines.assembler.deb.compression import CHUNK, Unpacked, unpack, unusable
from orchestrator.oci.reading import is_utf8, members, open_tar
from orchestrator.oci.tar import Entry, EntryKind

_MAX_CONTROL_BYTES = 32 << 20

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER_BYTES = 60
_AR_SIZE = re.compile(rb"[0-9]{1,10} *")
_MOST_AR_MEMBERS = 64
_LONGEST_PATH, _DEEPEST_PATH = 1024, 50

_KINDS = {
    tarfile.REGTYPE: EntryKind.FILE,
    tarfile.AREGTYPE: EntryKind.FILE,
    tarfile.LNKTYPE: EntryKind.HARDLINK,
    tarfile.SYMTYPE: EntryKind.SYMLINK,
    tarfile.DIRTYPE: EntryKind.DIRECTORY,
}


@dataclass(frozen=True, slots=True)
class DebMember:
    """A member of a package's data: paths as shipped, relative to the root.

    `chunks` gives the file's data once, and only until the next member is asked for.
    """

    entry: Entry
    chunks: Iterator[bytes]


class DebArchive:
    """An open package: `control` holds the texts of its control files, by name."""

    def __init__(self, name: str, control: Mapping[str, str], data: Unpacked) -> None:
        self.name = name
        self.control = control
        self._data = data

    def members(self) -> Iterator[DebMember]:
        """Yield the package's files in the order it ships them, once, without the root itself.

        Raises:
            ArtifactError: The data is truncated or malformed, unpacks to more than is
                believable, leaves the root, or holds a device node or a fifo.
        """
        try:
            with open_tar(self._data, CHUNK) as archive:
                for info in members(archive):
                    entry = _entry(self.name, info)
                    if entry is not None:
                        yield DebMember(entry, self._chunks(archive, info))
        except tarfile.TarError as error:
            raise unusable(self.name, f"its data cannot be read: {error}") from error
        while self._data.read(CHUNK):
            pass

    def _chunks(self, archive: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[bytes]:
        file = archive.extractfile(info) if info.isreg() else None
        if file is None:
            return
        left = info.size
        while left:
            try:
                chunk = file.read(min(CHUNK, left))
            except tarfile.TarError as error:
                raise unusable(self.name, f"it is truncated within {info.name}") from error
            if not chunk:
                raise unusable(self.name, f"it is truncated within {info.name}")
            left -= len(chunk)
            yield chunk


@contextmanager
def open_deb(file: Path, name: str) -> Iterator[DebArchive]:
    """Open a package; `name` is what errors call it.

    Source: deb(5), the binary package format 2.0.

    Raises:
        ArtifactError: The file is no Debian package, is truncated, or is compressed in a way
            that cannot be read here.
    """
    with file.open("rb") as stream:
        if stream.read(len(_AR_MAGIC)) != _AR_MAGIC:
            raise unusable(name, "it is no Debian package (no ar archive)")
        control: Mapping[str, str] | None = None
        for member, size in _ar_members(stream, name):
            if member.startswith("control.tar"):
                control = _read_control(name, unpack(name, member, stream, size))
            elif member.startswith("data.tar"):
                if control is None:
                    raise unusable(name, "its control archive does not come before its data")
                yield DebArchive(name, control, unpack(name, member, stream, size))
                return
    raise unusable(name, "it holds no data.tar")


def _ar_members(stream: BinaryIO, name: str) -> Iterator[tuple[str, int]]:
    """Yield each member's name and size, with the stream at its data."""
    for _ in range(_MOST_AR_MEMBERS):
        header = stream.read(_AR_HEADER_BYTES)
        if not header:
            return
        if len(header) < _AR_HEADER_BYTES or header[58:] != b"`\n":
            raise unusable(name, "it is truncated")
        if not header[:16].isascii() or not _AR_SIZE.fullmatch(header[48:58]):
            raise unusable(name, "its ar archive is malformed")
        start, size = stream.tell(), int(header[48:58])
        yield header[:16].decode("ascii").strip().rstrip("/"), size
        stream.seek(start + size + size % 2)


def _read_control(name: str, data: Unpacked) -> Mapping[str, str]:
    texts: dict[str, str] = {}
    size = 0
    try:
        with open_tar(data) as archive:
            for info in members(archive):
                file = archive.extractfile(info) if info.isreg() else None
                size += info.size
                if size > _MAX_CONTROL_BYTES:
                    raise unusable(name, "its control archive is too large to be one")
                if file is not None:
                    texts[posixpath.normpath(info.name)] = file.read().decode("utf-8", "replace")
    except tarfile.TarError as error:
        raise unusable(name, f"its control archive is malformed: {error}") from error
    if "control" not in texts:
        raise unusable(name, "it holds no control file")
    return texts


def _entry(name: str, info: tarfile.TarInfo) -> Entry | None:
    kind = _KINDS.get(info.type)
    if kind is None:
        raise unusable(name, f"{info.name} is a device node, a fifo or another special file")
    path = _relative(name, info.name)
    if not path:
        return None
    link = info.linkname
    if kind is EntryKind.HARDLINK:
        link = _relative(name, link)
    size = info.size if kind is EntryKind.FILE else 0
    mode = 0o777 if kind is EntryKind.SYMLINK else info.mode & 0o7777
    return Entry(path, kind, mode, size, link, info.uid, info.gid)


def _relative(name: str, path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise unusable(name, f"{path!r} leaves the root")
    if len(path) > _LONGEST_PATH or path.count("/") > _DEEPEST_PATH:
        raise unusable(name, f"{path[:80]}... is longer or deeper than any path")
    if not is_utf8(path):
        raise unusable(name, f"{path!r} is no UTF-8 text")
    normal = posixpath.normpath(path)
    return "" if normal == "." else normal
