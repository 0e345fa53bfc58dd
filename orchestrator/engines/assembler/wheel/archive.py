"""Reading a wheel: its members, safely placed, as the deflate data they are stored as."""

from __future__ import annotations

import contextlib
import io
import itertools
import mmap
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self, cast

from installer.records import InvalidRecordEntry, parse_record_file
from installer.sources import WheelFile
from isal import igzip_lib, isal_zlib

from orchestrator.errors import ArtifactError

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_END_BYTES, _END_64_BYTES, _LOCATOR_BYTES = 22, 56, 20
_MOST_COMMENT_BYTES = (1 << 16) - 1
_RAW_DEFLATE = -15
_CHUNK = 1 << 18  # with what it inflates to, about what a processor's cache holds
_KEEP_IN_MEMORY = 32 << 20
_BOMB_BYTES = 64 << 20
_BOMB_RATIO = 200
_MOST_DIRECTORY_BYTES = 16 << 20
_MOST_TEXT_BYTES = 32 << 20
_LONGEST_PATH, _DEEPEST_PATH = 1024, 50
_MOST_FREE_BYTES, _MOST_RATIO = 1 << 30, 50
"""A wheel may hold so much, and beyond that so many times its own size."""
_STORED, _DEFLATED = 0, 8
_ODD = frozenset({"", ".", ".."})
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ValueError,
    OverflowError,
    RuntimeError,
    EOFError,
    OSError,
    AssertionError,
)
"""What `zipfile` and `installer` raise where an archive is not as it should be."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file of a wheel: its path within the wheel and where its data lies."""

    path: str
    size_bytes: int
    crc32: int
    compressed_bytes: int
    header_offset: int
    offset: int
    is_deflated: bool
    is_executable: bool


class Piece(NamedTuple):
    """A piece of a member: stored bytes, and what they inflate to."""

    stored: bytes
    plain: bytes


class WheelArchive:
    """A wheel that is open for reading (PEP 427); a context manager.

    Raises:
        ArtifactError: The file is no wheel, is damaged, or holds what no wheel may hold.
    """

    def __init__(self, file: Path, name: str) -> None:
        self.name = name
        self._members: tuple[Member, ...] | None = None
        with contextlib.ExitStack() as opened:
            try:
                stream = opened.enter_context(file.open("rb"))
                _check_directory(stream)
                self._zip = opened.enter_context(zipfile.ZipFile(stream))
                self._zip.filename = name  # the file lies under its digest
                self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
                opened.callback(self._map.close)
                source = WheelFile(self._zip)
                self.dist_info, self.data_dir = source.dist_info_dir, source.data_dir
            except _UNREADABLE as error:
                raise self.error(f"is no wheel: {error}") from error
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._opened.close()

    def error(self, message: str) -> ArtifactError:
        """Return an error about this wheel."""
        return ArtifactError(
            f"{self.name}: {message}",
            hint="the file is as the index serves it; pin another version of the package",
        )

    def members(self) -> tuple[Member, ...]:
        """Return the files in the archive's order."""
        if self._members is None:
            self._members = self._read_members()
        return self._members

    def _read_members(self) -> tuple[Member, ...]:
        found: dict[str, Member] = {}
        for info in self._zip.infolist():
            if info.filename.endswith("/"):
                continue
            member = self._member(info)
            if member.path in found:
                raise self.error(f"{member.path} is in the archive twice")
            found[member.path] = member
        self._check_together(found)
        return tuple(found.values())

    def _check_together(self, found: Mapping[str, Member]) -> None:
        """Refuse what no member shows alone: too much in all, and what is two things at once."""
        size_bytes = sum(member.size_bytes for member in found.values())
        if size_bytes > max(_MOST_FREE_BYTES, _MOST_RATIO * len(self._map)):
            raise self.error(f"holds {size_bytes} bytes in {len(self._map)}")
        end = 0
        for member in sorted(found.values(), key=lambda member: member.offset):
            if member.header_offset < end:
                raise self.error(f"{member.path} shares its data with another file")
            end = member.offset + member.compressed_bytes
        ordered = sorted(path.replace("/", "\0") for path in found)  # a folder stands first
        for path, following in itertools.pairwise(ordered):
            if following.startswith(f"{path}\0"):
                raise self.error(f"{path.replace(chr(0), '/')} is a file and a folder")

    def record(self) -> dict[str, str]:
        """Return RECORD's hashes by path, as `sha256=...`; empty where it gives none."""
        text = self.text("RECORD")
        if text is None:
            raise self.error("has no RECORD")
        try:
            return {path: digest for path, digest, _ in parse_record_file(text.splitlines())}
        except InvalidRecordEntry as error:
            raise self.error(f"RECORD cannot be read: {error}") from error

    def text(self, name: str) -> str | None:
        """Return a file of the .dist-info folder, or None where it is absent."""
        try:
            info = self._zip.getinfo(f"{self.dist_info}/{name}")
        except KeyError:
            return None
        if self._member(info).size_bytes > _MOST_TEXT_BYTES:
            raise self.error(f"{name} is of {info.file_size} bytes, which nobody wrote")
        try:
            return self._zip.read(info).decode("utf-8")
        except _UNREADABLE as error:
            raise self.error(f"{name} cannot be read: {error}") from error

    def pieces(self, member: Member) -> Iterator[Piece]:
        """Yield a member's data piece by piece, checked against its size and CRC-32."""
        end = member.offset + member.compressed_bytes
        inflate = isal_zlib.decompressobj(_RAW_DEFLATE) if member.is_deflated else None
        size = crc = 0
        try:
            for start in range(member.offset, end, _CHUNK):
                stored = self._map[start : min(start + _CHUNK, end)]
                plain = stored
                if inflate:
                    plain = inflate.decompress(stored, member.size_bytes - size + 1)
                size += len(plain)
                crc = isal_zlib.crc32(plain, crc)
                if size > member.size_bytes:
                    break
                yield Piece(stored, plain)
        except igzip_lib.IsalError as error:  # type: ignore[misc]  # its stub has an instance
            raise self.error(f"{member.path} is damaged: {error}") from error
        whole = inflate is None or (inflate.eof and not inflate.unused_data)
        if size != member.size_bytes or crc != member.crc32 or (member.size_bytes and not whole):
            raise self.error(f"{member.path} is not of the size and checksum the archive gives")

    def _member(self, info: zipfile.ZipInfo) -> Member:
        path = info.filename
        odd = _ODD.intersection(path.split("/"))
        if odd or "\\" in path or "\0" in info.orig_filename:
            raise self.error(f"{path!r} would leave the folder that the wheel is installed to")
        if len(path) > _LONGEST_PATH or path.count("/") > _DEEPEST_PATH:
            raise self.error(f"{path[:80]}... is longer or deeper than any path")
        if info.compress_type not in {_STORED, _DEFLATED} or info.flag_bits & 1:
            raise self.error(f"{path} is stored in a way that wheels may not use")
        if info.file_size > max(_BOMB_BYTES, _BOMB_RATIO * info.compress_size):
            raise self.error(f"{path} inflates {info.compress_size} bytes to {info.file_size}")
        return Member(
            path,
            info.file_size,
            info.CRC,
            info.compress_size,
            info.header_offset,
            self._data_offset(info),
            info.compress_type == _DEFLATED,
            bool((info.external_attr >> 16) & 0o111),
        )

    def _data_offset(self, info: zipfile.ZipInfo) -> int:
        start = info.header_offset
        if not 0 <= start <= len(self._map) - _LOCAL_HEADER.size:
            raise self.error(f"{info.filename} lies outside the archive")
        magic, name_length, extra_length = _LOCAL_HEADER.unpack_from(self._map, start)
        offset = start + _LOCAL_HEADER.size + name_length + extra_length
        if magic != b"PK\3\4" or offset + info.compress_size > len(self._map):
            raise self.error(f"{info.filename} lies outside the archive")
        return int(offset)


def _check_directory(stream: BinaryIO) -> None:
    """Refuse an archive whose directory would fill the memory: `zipfile` reads it at once.

    Source: APPNOTE.TXT, 4.3.14 to 4.3.16, found as `zipfile` finds them.

    Raises:
        ValueError: The directory is too large.
    """
    size = stream.seek(0, io.SEEK_END)
    wanted = _END_BYTES + _MOST_COMMENT_BYTES + _END_64_BYTES + _LOCATOR_BYTES
    stream.seek(max(0, size - wanted))
    tail = stream.read()
    stream.seek(0)
    for at in (len(tail) - _END_BYTES, tail.rfind(b"PK\5\6")):
        if tail[max(0, at) :][:4] != b"PK\5\6" or len(tail) - at < _END_BYTES:
            continue
        (found,) = struct.unpack_from("<L", tail, at + 12)
        at_64 = at - _LOCATOR_BYTES - _END_64_BYTES
        if at_64 >= 0 and tail[at_64 : at_64 + 4] == b"PK\6\6":
            (found,) = struct.unpack_from("<Q", tail, at_64 + 40)
        if found > _MOST_DIRECTORY_BYTES:
            raise ValueError(f"its directory is of {found} bytes")


class Pieces:
    """Pieces of data, read at random like a file and never joined."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces
        self._at = 0

    def seek(self, offset: int, /) -> int:
        """Go to an offset from the start."""
        self._at = offset
        return offset

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, fewer only at the end."""
        found, start = b"", 0
        for piece in self._pieces:
            end = start + len(piece)
            if start <= self._at < end and len(found) < size:
                taken = piece[self._at - start : self._at - start + size - len(found)]
                found += taken
                self._at += len(taken)
            start = end
        return found


@contextlib.contextmanager
def gathered(chunks: Iterable[bytes], size_bytes: int) -> Iterator[Pieces | BinaryIO]:
    """Lend a member as something to be read at random: in memory, or a file if large."""
    if size_bytes <= _KEEP_IN_MEMORY:
        yield Pieces(list(chunks))
        return
    with tempfile.TemporaryFile() as file:
        file.writelines(chunks)
        yield cast("BinaryIO", file)
