"""Reading a wheel: its members, safely placed, as the deflate data they are stored as."""

from __future__ import annotations

import contextlib
import mmap
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self, cast

from installer.records import InvalidRecordEntry, parse_record_file
from installer.sources import WheelFile
from isal import igzip_lib, isal_zlib

from orchestrator.errors import ArtifactError

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_RAW_DEFLATE = -15
_CHUNK = 1 << 18  # with what it inflates to, about what a processor's cache holds
_KEEP_IN_MEMORY = 32 << 20
_BOMB_BYTES = 64 << 20
_BOMB_RATIO = 200
_STORED, _DEFLATED = 0, 8
_ODD = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class Member:
    """A file of a wheel: its path within the wheel and where its data lies."""

    path: str
    size_bytes: int
    crc32: int
    compressed_bytes: int
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
                self._zip = opened.enter_context(zipfile.ZipFile(stream))
                self._zip.filename = name  # the file lies under its digest
                self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
                opened.callback(self._map.close)
                source = WheelFile(self._zip)
                self.dist_info, self.data_dir = source.dist_info_dir, source.data_dir
            except (zipfile.BadZipFile, ValueError, OSError, AssertionError) as error:
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
            if info.is_dir():
                continue
            member = self._member(info)
            if member.path in found:
                raise self.error(f"{member.path} is in the archive twice")
            found[member.path] = member
        return tuple(found.values())

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
            return self._zip.read(f"{self.dist_info}/{name}").decode("utf-8")
        except KeyError:
            return None
        except (zipfile.BadZipFile, RuntimeError, UnicodeDecodeError, zlib.error) as error:
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
        if info.compress_type not in {_STORED, _DEFLATED} or info.flag_bits & 1:
            raise self.error(f"{path} is stored in a way that wheels may not use")
        if info.file_size > max(_BOMB_BYTES, _BOMB_RATIO * info.compress_size):
            raise self.error(f"{path} inflates {info.compress_size} bytes to {info.file_size}")
        return Member(
            path,
            info.file_size,
            info.CRC,
            info.compress_size,
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
