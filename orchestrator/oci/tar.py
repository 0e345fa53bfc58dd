"""Tar headers that depend on nothing but the entry: no clock, no user of this machine."""

from __future__ import annotations

import struct
import tarfile
import zlib
from dataclasses import dataclass
from enum import Enum

BLOCK = 512
MTIME = 946_684_800
"""2000-01-01 UTC: after 1980, which zip archives made inside a container need."""

END_OF_ARCHIVE = bytes(2 * BLOCK)

_USTAR = struct.Struct("100s8s8s8s12s12s8s1s100s6s2s32s32s8s8s155s12s")
_CHECKSUM = slice(148, 156)


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
    encoded, link = name.encode(), entry.link.encode()
    if len(encoded) > 100 or len(link) > 100 or entry.size_bytes >= 1 << 33:
        return _pax_header(entry, name)
    if not (name.isascii() and entry.link.isascii()):
        return _pax_header(entry, name)
    block = bytearray(
        _USTAR.pack(
            encoded,
            b"%07o\0" % entry.mode,
            b"%07o\0" % entry.uid,
            b"%07o\0" % entry.gid,
            b"%011o\0" % entry.size_bytes,
            b"%011o\0" % MTIME,
            b"        ",
            entry.kind.value,
            link,
            b"ustar\0",
            b"00",
            b"",
            b"",
            b"0000000\0",
            b"0000000\0",
            b"",
            b"",
        )
    )
    # Adler-32's low half is 1 and the sum of the bytes, modulo 65521: that of ASCII is below.
    block[_CHECKSUM] = b"%06o\0 " % ((zlib.adler32(block) & 0xFFFF) - 1)
    return bytes(block)


def _pax_header(entry: Entry, name: str) -> bytes:
    info = tarfile.TarInfo(name.rstrip("/"))
    info.type = entry.kind.value
    info.mode, info.uid, info.gid = entry.mode, entry.uid, entry.gid
    info.size, info.mtime, info.linkname = entry.size_bytes, MTIME, entry.link
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def padding(size_bytes: int) -> bytes:
    """Return the zeros that fill a member's data up to a whole block."""
    return bytes(-size_bytes % BLOCK)
