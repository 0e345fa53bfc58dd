"""Segments: runs of tar members as gzip members, joined to layers without recompression.

A segment holds what one wheel, one Debian package or one set of files adds. Its bytes are a
sequence of gzip members (RFC 1952), so segments put one after the other are again a gzip
stream, and deflate data that exists already is taken over as it is.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import deflate
from isal import isal_zlib

from orchestrator.oci.tar import Entry, EntryKind, padding, tar_header

_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_GZIP_TRAILER = struct.Struct("<LL")
_STORED = struct.Struct("<BHH")
_STORED_MAX = 0xFFFF
_LEVEL = 1
CHUNK = 1 << 20


class Hash(Protocol):
    """What `hashlib` gives."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None: ...

    def hexdigest(self) -> str: ...


@dataclass(slots=True)
class SegmentEntry:
    """What is remembered of a member: where it lies and what it holds.

    `kind` is the `EntryKind`'s name in lower case; `sha256` is empty for all but files.
    """

    path: str
    kind: str
    mode: int
    size_bytes: int = 0
    sha256: str = ""
    link: str = ""
    uid: int = 0
    gid: int = 0


_COLUMNS = tuple(column.name for column in fields(SegmentEntry))


@dataclass(slots=True)
class SegmentInfo:
    """What a segment holds, kept beside its bytes.

    `unpacked_bytes` counts file contents, `crc32` is of the segment's bytes. `notes` carries
    what the segment's maker wants to know again later, in JSON's types: the alternatives a
    Debian package registers, the libraries an ELF file needs.
    """

    entries: list[SegmentEntry] = field(default_factory=list)
    unpacked_bytes: int = 0
    crc32: int = 0
    notes: dict[str, Any] = field(default_factory=dict)

    def note(self, entry: Entry, sha256: str = "") -> None:
        """Remember a member."""
        self.unpacked_bytes += entry.size_bytes
        self.entries.append(
            SegmentEntry(
                entry.path,
                entry.kind.name.lower(),
                entry.mode,
                entry.size_bytes,
                sha256,
                entry.link,
                entry.uid,
                entry.gid,
            )
        )

    def to_json(self) -> str:
        """Return the info as one line of JSON."""
        rows = [[getattr(entry, name) for name in _COLUMNS] for entry in self.entries]
        return json.dumps(
            {
                "entries": rows,
                "unpacked_bytes": self.unpacked_bytes,
                "crc32": self.crc32,
                "notes": self.notes,
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str) -> SegmentInfo:
        """Read what `to_json` wrote.

        Raises:
            ValueError: The text is no info.
        """
        raw = json.loads(text)
        try:
            entries = [SegmentEntry(*row) for row in raw["entries"]]
            return cls(entries, raw["unpacked_bytes"], raw["crc32"], raw["notes"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a segment's info: {error}") from error


class ByteSink(Protocol):
    """What bytes are written to."""

    def write(self, data: bytes | memoryview, /) -> int: ...


class SegmentWriter:
    """Writes tar members to `out` as gzip members.

    `plain`, where given, is fed every uncompressed byte: the layer's diffID side. A segment
    always ends on a tar block's boundary. Directories are noted here and written by the layer,
    once for all its segments.
    """

    def __init__(self, out: ByteSink, plain: Hash | None = None) -> None:
        self.info = SegmentInfo()
        self._out = out
        self._plain = plain
        self._pending = bytearray()
        self._pending_has_data = False
        self._ended = b""

    def add(self, entry: Entry, data: bytes = b"") -> None:
        """Add an entry whose data, `entry.size_bytes` long, is at hand."""
        self.add_stream(entry, (data,) if data else ())

    def add_stream(self, entry: Entry, chunks: Iterable[bytes]) -> None:
        """Add an entry, a file from chunks of its data, compressing them.

        A directory is noted and not written: segments of one layer may share it, and an
        archive must not hold a path twice. The layer writes it.

        Raises:
            ValueError: The chunks are not `entry.size_bytes` long together.
        """
        if entry.kind is EntryKind.DIRECTORY:
            self.info.note(entry)
        else:
            self._write(entry, chunks)

    def add_directory(self, entry: Entry) -> None:
        """Write a directory."""
        self._write(entry, ())

    def _write(self, entry: Entry, chunks: Iterable[bytes]) -> None:
        digest = hashlib.sha256()
        size = 0
        self._pending += tar_header(entry)
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            self._pending += chunk
            self._pending_has_data = True
            if len(self._pending) >= CHUNK:
                self._flush()
        if size != entry.size_bytes:
            raise ValueError(f"{entry.path}: {size} bytes came, {entry.size_bytes} were promised")
        self._pending += padding(size)
        self.info.note(entry, digest.hexdigest() if entry.kind is EntryKind.FILE else "")

    def begin_deflated(self, entry: Entry) -> None:
        """Begin a file whose deflate data comes by `deflated`, to be ended by `end_deflated`."""
        self._pending += tar_header(entry)
        self._emit(self._take_pending() + _GZIP_HEADER)

    def deflated(self, compressed: bytes | memoryview, plain: bytes) -> None:
        """Take over a piece of a deflate stream (RFC 1951), and what it inflates to."""
        self._emit(compressed)
        if self._plain is not None and plain:
            self._plain.update(plain)

    def end_deflated(self, entry: Entry, crc32: int, sha256: str) -> None:
        """End the file begun last; CRC-32 and SHA-256 are those of its uncompressed data."""
        self._ended = _GZIP_TRAILER.pack(crc32, entry.size_bytes & 0xFFFFFFFF)
        self._pending += padding(entry.size_bytes)
        self.info.note(entry, sha256)

    def add_end(self, blocks: bytes) -> None:
        """Add what ends an archive, and write everything that is pending."""
        self._pending += blocks
        self._flush()

    def close(self) -> SegmentInfo:
        """Write what is pending and return what the segment holds."""
        self._flush()
        return self.info

    def _emit(self, data: bytes | memoryview) -> None:
        self.info.crc32 = isal_zlib.crc32(data, self.info.crc32)
        self._out.write(data)

    def _flush(self) -> None:
        if taken := self._take_pending():
            self._emit(taken)

    def _take_pending(self) -> bytes:
        """Return what is pending as it is written: the end of a member, and a member."""
        ended, data, has_data = self._ended, self._pending, self._pending_has_data
        self._ended = b""
        if not data:
            return ended
        if self._plain is not None:
            self._plain.update(data)
        stored = not has_data and len(data) <= _STORED_MAX
        self._pending = bytearray()
        self._pending_has_data = False
        return ended + _gzip_member(bytes(data), stored=stored)


def _gzip_member(data: bytes, *, stored: bool) -> bytes:
    """Return data as one gzip member; stored, its bytes depend on no compressor's version.

    libdeflate gives the same bytes for the same data. ISA-L, which is twice as fast, mostly does.
    """
    body: bytes | bytearray
    if stored:
        body = _STORED.pack(1, len(data), len(data) ^ _STORED_MAX) + data
    else:
        body = deflate.deflate_compress(data, _LEVEL)
    return _GZIP_HEADER + body + _GZIP_TRAILER.pack(zlib.crc32(data), len(data) & 0xFFFFFFFF)
