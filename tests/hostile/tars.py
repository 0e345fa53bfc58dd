"""Tar archives that no tool for people writes, block by block."""

from __future__ import annotations

import tarfile

from tests.debs import file, tar_of

BLOCK = 512
END = bytes(2 * BLOCK)


def header(
    name: str = "root/a",
    kind: bytes = tarfile.REGTYPE,
    size: bytes = b"00000000000\0",
    link: str = "",
) -> bytes:
    """Return a block with a right checksum; `size` is that field as it stands there."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o755
    return with_checksum(bytearray(info.tobuf(tarfile.USTAR_FORMAT)[:BLOCK]), size)


def with_checksum(block: bytearray, size: bytes) -> bytes:
    block[124:136] = size
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def octal(size_bytes: int) -> bytes:
    return b"%011o\0" % size_bytes


def base_256(number: int) -> bytes:
    """Return a size as GNU tar writes those that octal digits cannot say."""
    return bytes([0x80 if number >= 0 else 0xFF]) + number.to_bytes(11, "big", signed=True)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def extended(records: dict[str, str | bytes], kind: bytes = tarfile.XHDTYPE) -> bytes:
    """Return a pax header with its records."""
    lines = []
    for key, value in records.items():
        data = value if isinstance(value, bytes) else value.encode()
        rest = b" " + key.encode() + b"=" + data + b"\n"
        length = len(rest) + 1
        while length != len(rest) + len(str(length)):
            length = len(rest) + len(str(length))
        lines.append(b"%d%b" % (length, rest))
    data = b"".join(lines)
    return header("././@PaxHeader", kind, octal(len(data))) + padded(data)


GOOD = tar_of([file("root/good", b"good")])[: 2 * BLOCK]
"""A member that is as it should be."""

_PLAIN = header(size=octal(1)) + padded(b"x")

ODD: dict[str, bytes] = {
    "a size below zero": GOOD + header(size=base_256(-1024)) + END,
    "a size below zero in an extended header": GOOD + extended({"size": "-5"}) + _PLAIN + END,
    "a size that is no number": GOOD + header(size=b"99999999999\0") + END,
    "a size beyond what numbers hold": GOOD + header(size=base_256((1 << 87) - 1)) + END,
    "more data than there is": GOOD + header(size=octal(1 << 20)) + b"x",
    "an extended header of two gigabytes": GOOD
    + header("x", tarfile.XHDTYPE, octal(2 << 30))
    + bytes(64 * BLOCK),
    "a name of two gigabytes": GOOD
    + header("x", tarfile.GNUTYPE_LONGNAME, octal(2 << 30))
    + bytes(64 * BLOCK),
    "a thousand headers before one file": GOOD + extended({"comment": "x"}) * 1000 + _PLAIN + END,
    "a record whose length has 5,000 digits": GOOD
    + header("x", tarfile.XHDTYPE, octal(5010))
    + padded(b"9" * 5000 + b" path=a\n")
    + _PLAIN
    + END,
    "global headers without end": GOOD
    + b"".join(extended({f"key{number}": "x"}, tarfile.XGLTYPE) + _PLAIN for number in range(100))
    + END,
    "a file with a terabyte of holes": GOOD
    + extended({"GNU.sparse.size": str(1 << 40), "GNU.sparse.offset": "0"})
    + _PLAIN
    + END,
    "a file with holes of version 1.0": GOOD
    + extended(
        {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.realsize": str(1 << 40),
            "GNU.sparse.name": "root/a",
        }
    )
    + header(size=octal(BLOCK))
    + padded(b"0\n")
    + END,
    "a file with holes of the oldest kind": GOOD
    + header("root/a", tarfile.GNUTYPE_SPARSE, octal(0))
    + END,
    "a NUL in a name": GOOD + extended({"path": "root/a\0b"}) + _PLAIN + END,
    "a NUL in a link": GOOD
    + extended({"linkpath": "a\0b"})
    + header("root/l", tarfile.SYMTYPE, link="x")
    + END,
    "an owner beyond all users": GOOD + extended({"uid": "9" * 40}) + _PLAIN + END,
    "a damaged header in the midst": GOOD + bytes([*_PLAIN[:20], 0xFF, *_PLAIN[21:]]) + GOOD + END,
}
"""Archives that nothing may believe, by what is wrong with them."""
