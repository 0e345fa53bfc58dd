"""Tar headers that depend on nothing but the entry: no clock, no user of this machine."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

BLOCK = 512
MTIME = 946_684_800
"""2000-01-01 UTC: after 1980, which zip archives made inside a container need."""

END_OF_ARCHIVE = bytes(2 * BLOCK)

_NAME_BYTES = 100
_OWNER_LIMIT, _SIZE_LIMIT = 1 << 21, 1 << 33
"""What a ustar block's fields hold less than."""
_CHECKSUM_END = 156
_DEVICE = b"0000000"
_PAX_NAME = "././@PaxHeader"


class EntryKind(Enum):
    """The kinds of members a layer may hold; the value is tar's type flag."""

    FILE = b"0"
    HARDLINK = b"1"
    SYMLINK = b"2"
    DIRECTORY = b"5"


@dataclass(frozen=True, slots=True)
class Entry:
    """A member of a layer.

    `path` is relative and without trailing slash; `size_bytes` is 0 for all but files;
    `link` is a symlink's target as written, or a hard link's path from the root.
    """

    path: str
    kind: EntryKind = EntryKind.FILE
    mode: int = 0o644
    size_bytes: int = 0
    link: str = ""
    uid: int = 0
    gid: int = 0


def tar_header(entry: Entry) -> bytes:
    """Return the entry's header: one ustar block, or pax blocks where names are long.

    Source: POSIX.1-2001, pax interchange format; OCI image specification, layer.md.
    """
    name = entry.path + "/" if entry.kind is EntryKind.DIRECTORY else entry.path
    texts = name + entry.link
    is_short = len(texts) <= _NAME_BYTES and texts.isascii()
    is_small = entry.size_bytes < _SIZE_LIMIT and max(entry.uid, entry.gid) < _OWNER_LIMIT
    if not (is_short and is_small) and (records := _pax_records(entry, name)):
        return _pax_header(entry, name, records)
    owner = _owner(entry.mode, entry.uid, entry.gid)
    return _block(
        name, owner, entry.size_bytes, MTIME, _tail(entry.kind.value, entry.link, _DEVICE)
    )


def _pax_records(entry: Entry, name: str) -> bytes:
    """Return what a ustar block cannot say of an entry: mostly nothing."""
    texts = (("path", name), ("linkpath", entry.link))
    found = [pair for pair in texts if len(pair[1]) > _NAME_BYTES or not pair[1].isascii()]
    if entry.uid >= _OWNER_LIMIT:
        found.append(("uid", str(entry.uid)))
    if entry.gid >= _OWNER_LIMIT:
        found.append(("gid", str(entry.gid)))
    if entry.size_bytes >= _SIZE_LIMIT:
        found.append(("size", str(entry.size_bytes)))
    return b"".join(_pax_record(*pair) for pair in found)


def _pax_record(key: str, value: str) -> bytes:
    """Return a record; it begins with its own length, which counts that number's digits too."""
    rest = f" {key}={value}\n".encode()
    length = len(rest) + 1
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return b"%d%b" % (length, rest)


def _pax_header(entry: Entry, name: str, records: bytes) -> bytes:
    """Return records as a member of their own, and the entry's block as far as it can say it."""
    before = _block(_PAX_NAME, _owner(0, 0, 0), len(records), 0, _tail(b"x", "", b""))
    uid, gid = (number if number < _OWNER_LIMIT else 0 for number in (entry.uid, entry.gid))
    size = entry.size_bytes if entry.size_bytes < _SIZE_LIMIT else 0
    tail = _tail(entry.kind.value, entry.link, b"")
    block = _block(name, _owner(entry.mode, uid, gid), size, MTIME, tail)
    return before + records + padding(len(records)) + block


def _block(name: str, owner: bytes, size_bytes: int, mtime: int, tail: bytes) -> bytes:
    """Return a ustar block; names are cut, and what is not ASCII in them is replaced."""
    front = b"%b%b%011o\0%011o\0" % (_field(name), owner, size_bytes, mtime)
    # Adler-32's low half is 1 and the sum of the bytes, modulo 65521: that of ASCII is below.
    total = (zlib.adler32(front + tail) & 0xFFFF) - 1 + 8 * ord(" ")
    return b"%b%06o\0 %b" % (front, total, tail)


def _field(name: str) -> bytes:
    return name.encode("ascii", "replace")[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0")


@lru_cache(maxsize=64)
def _owner(mode: int, uid: int, gid: int) -> bytes:
    return b"%07o\0%07o\0%07o\0" % (mode, uid, gid)


@lru_cache(maxsize=64)
def _tail(flag: bytes, link: str, device: bytes) -> bytes:
    """Return what follows the checksum; `device` stands for both of its numbers."""
    owners = bytes(64)  # the names of user and group
    front = flag + _field(link) + b"ustar\00000" + owners + device.ljust(8, b"\0") * 2
    return front.ljust(BLOCK - _CHECKSUM_END, b"\0")


def padding(size_bytes: int) -> bytes:
    """Return the zeros that fill a member's data up to a whole block."""
    return bytes(-size_bytes % BLOCK)
