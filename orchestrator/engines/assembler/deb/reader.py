"""Reads Debian packages: the ar archive, its control files, and its data as a stream."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import posixpath
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from orchestrator.errors import ArtifactError
from orchestrator.oci.reading import XzReader, is_utf8, members, open_tar
from orchestrator.oci.tar import Entry, EntryKind

CHUNK = 1 << 18
MAX_UNPACKED_BYTES = 4 << 30
MAX_RATIO = 200
RATIO_FREE_BYTES = 64 << 20
_MAX_CONTROL_BYTES = 32 << 20

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER_BYTES = 60
_AR_SIZE = re.compile(rb"[0-9]{1,10} *")
_MOST_AR_MEMBERS = 64
_LONGEST_PATH, _DEEPEST_PATH = 1024, 50
_BROKEN = (lzma.LZMAError, EOFError, zlib.error, OSError, tarfile.TarError)

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

    def __init__(self, name: str, control: Mapping[str, str], data: _Unpacked) -> None:
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
            raise _unusable(self.name, f"its data cannot be read: {error}") from error
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
                raise _unusable(self.name, f"it is truncated within {info.name}") from error
            if not chunk:
                raise _unusable(self.name, f"it is truncated within {info.name}")
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
            raise _unusable(name, "it is no Debian package (no ar archive)")
        control: Mapping[str, str] | None = None
        for member, size in _ar_members(stream, name):
            if member.startswith("control.tar"):
                control = _read_control(name, _unpack(name, member, stream, size))
            elif member.startswith("data.tar"):
                if control is None:
                    raise _unusable(name, "its control archive does not come before its data")
                yield DebArchive(name, control, _unpack(name, member, stream, size))
                return
    raise _unusable(name, "it holds no data.tar")


def _ar_members(stream: BinaryIO, name: str) -> Iterator[tuple[str, int]]:
    """Yield each member's name and size, with the stream at its data."""
    for _ in range(_MOST_AR_MEMBERS):
        header = stream.read(_AR_HEADER_BYTES)
        if not header:
            return
        if len(header) < _AR_HEADER_BYTES or header[58:] != b"`\n":
            raise _unusable(name, "it is truncated")
        if not header[:16].isascii() or not _AR_SIZE.fullmatch(header[48:58]):
            raise _unusable(name, "its ar archive is malformed")
        start, size = stream.tell(), int(header[48:58])
        yield header[:16].decode("ascii").strip().rstrip("/"), size
        stream.seek(start + size + size % 2)


def _read_control(name: str, data: _Unpacked) -> Mapping[str, str]:
    texts: dict[str, str] = {}
    size = 0
    try:
        with open_tar(data) as archive:
            for info in members(archive):
                file = archive.extractfile(info) if info.isreg() else None
                size += info.size
                if size > _MAX_CONTROL_BYTES:
                    raise _unusable(name, "its control archive is too large to be one")
                if file is not None:
                    texts[posixpath.normpath(info.name)] = file.read().decode("utf-8", "replace")
    except tarfile.TarError as error:
        raise _unusable(name, f"its control archive is malformed: {error}") from error
    if "control" not in texts:
        raise _unusable(name, "it holds no control file")
    return texts


def _entry(name: str, info: tarfile.TarInfo) -> Entry | None:
    kind = _KINDS.get(info.type)
    if kind is None:
        raise _unusable(name, f"{info.name} is a device node, a fifo or another special file")
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
        raise _unusable(name, f"{path!r} leaves the root")
    if len(path) > _LONGEST_PATH or path.count("/") > _DEEPEST_PATH:
        raise _unusable(name, f"{path[:80]}... is longer or deeper than any path")
    if not is_utf8(path):
        raise _unusable(name, f"{path!r} is no UTF-8 text")
    normal = posixpath.normpath(path)
    return "" if normal == "." else normal


class _Slice(io.RawIOBase):
    """The next `size` bytes of a stream; ending before is an error."""

    def __init__(self, name: str, stream: BinaryIO, size: int) -> None:
        self._name, self._stream, self._left = name, stream, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), self._left)
        data = self._stream.read(wanted)
        if len(data) < wanted:
            raise _unusable(self._name, "it is truncated")
        buffer[:wanted] = data
        self._left -= wanted
        return wanted


class _Unpacked(io.RawIOBase):
    """Decompressed data, refused where there is more of it than is believable."""

    def __init__(self, name: str, stream: IO[bytes], packed_bytes: int) -> None:
        self._name, self._stream = name, stream
        self._limit = min(MAX_UNPACKED_BYTES, max(RATIO_FREE_BYTES, MAX_RATIO * packed_bytes))
        self._size = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._stream.read(size)
        except _BROKEN as error:
            raise _unusable(self._name, f"it is truncated or damaged: {error}") from error
        self._size += len(data)
        if self._size > self._limit:
            raise _unusable(self._name, f"it unpacks to more than {self._limit} bytes")
        return data


def _unpack(name: str, member: str, stream: BinaryIO, size: int) -> _Unpacked:
    packed = io.BufferedReader(_Slice(name, stream, size), CHUNK)
    suffix = member.partition(".tar")[2]
    opener = _OPENERS.get(suffix)
    if opener is None:
        known = ", ".join(sorted(filter(None, _OPENERS)))
        raise _unusable(name, f"{member} is compressed in an unknown way (known: {known})")
    return _Unpacked(name, opener(packed, name), size)


def _open_zstd(packed: IO[bytes], name: str) -> IO[bytes]:
    try:
        import zstandard  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
    except ImportError as error:
        raise ArtifactError(
            f"{name}: it is compressed with zstd, which cannot be read here",
            hint="install the Python package zstandard beside orch",
        ) from error
    return cast("IO[bytes]", _Zstd(zstandard.ZstdDecompressor().stream_reader(packed), zstandard))


class _Zstd(io.RawIOBase):
    """What zstd data unpacks to, its own error among those of files."""

    def __init__(self, plain: IO[bytes], library: Any) -> None:
        self._plain, self._error = plain, library.ZstdError

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return self._plain.read(size)
        except self._error as error:
            raise OSError(str(error)) from error


_OPENERS: Mapping[str, Callable[[IO[bytes], str], IO[bytes]]] = {
    "": lambda packed, _: packed,
    ".gz": lambda packed, _: cast("IO[bytes]", gzip.GzipFile(fileobj=packed)),
    ".xz": lambda packed, _: cast("IO[bytes]", XzReader(packed)),
    ".bz2": lambda packed, _: bz2.BZ2File(packed),
    ".zst": _open_zstd,
}


def _unusable(name: str, why: str) -> ArtifactError:
    return ArtifactError(
        f"Debian package {name} cannot be used: {why}",
        hint="fetch it again; if it stays so, pick another package or version",
    )
