"""Debian packages, ELF files and segments made in memory, for tests."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from orchestrator.engines.assembler.deb.segment import write_deb_segment
from orchestrator.model import LockedDeb
from orchestrator.oci.segment import SegmentEntry, SegmentInfo, SegmentWriter

COMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
}


def file(name: str, data: bytes = b"", mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    return info, data


def link(name: str, target: str, *, hard: bool = False) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = tarfile.LNKTYPE if hard else tarfile.SYMTYPE
    info.linkname = target
    return info, b""


def folder(
    name: str, mode: int = 0o755, uid: int = 0, gid: int = 0
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, mode, uid, gid
    return info, b""


def special(name: str, kind: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = kind
    return info, b""


def tar_of(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def ar_of(members: Mapping[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
        out += header.encode() + data + b"\n" * (len(data) % 2)
    return out


def make_deb(
    file_path: Path,
    members: Sequence[tuple[tarfile.TarInfo, bytes]] = (),
    control: Mapping[str, str] | None = None,
    compression: str = ".xz",
) -> Path:
    """Write a package with these members; `control` adds to its control files."""
    texts = {"control": "Package: sample\nVersion: 1.0\nArchitecture: amd64\n", **(control or {})}
    compress = COMPRESSORS[compression]
    control_tar = tar_of([file(f"./{name}", text.encode()) for name, text in texts.items()])
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": lzma.compress(control_tar),
        f"data.tar{compression}": compress(tar_of(members)),
    }
    file_path.write_bytes(ar_of(parts))
    return file_path


def lay_deb(
    tmp_path: Path,
    members: Sequence[tuple[tarfile.TarInfo, bytes]] = (),
    control: Mapping[str, str] | None = None,
    name: str = "sample",
) -> tuple[SegmentInfo, bytes]:
    """Make a package and return the info and the bytes of its segment."""
    deb_file = make_deb(tmp_path / f"{name}.deb", members, control)
    out = io.BytesIO()
    writer = SegmentWriter(out)
    write_deb_segment(deb_file, LockedDeb(name, "1.0", "amd64", "", 0, ""), writer)
    return writer.close(), out.getvalue()


def segment_of(paths: Mapping[str, str | None], **notes: object) -> SegmentInfo:
    """Return an info of files and, where a path has a value, of symbolic links to it."""
    entries = [
        SegmentEntry(path, "file", 0o644)
        if target is None
        else SegmentEntry(path, "symlink", 0o777, link=target)
        for path, target in paths.items()
    ]
    return SegmentInfo(entries, notes=dict(notes))


def make_elf(
    soname: str = "",
    needed: Sequence[str] = (),
    runpath: str = "",
    rpath: str = "",
    interpreter: str = "",
    machine: int = 62,
    elf_type: int = 3,
) -> bytes:
    """Return a 64-bit little-endian ELF file that has a dynamic section and nothing to run.

    Behind the section's end stands one more tag, which does not count.
    """
    strings = bytearray(b"\0")

    def offset_of(text: str) -> int:
        start = len(strings)
        strings.extend(text.encode() + b"\0")
        return start

    tags = [(1, offset_of(name)) for name in needed]
    for tag, text in ((14, soname), (15, rpath), (29, runpath)):
        if text:
            tags.append((tag, offset_of(text)))
    program_headers = 3
    strings_at = 64 + 56 * program_headers
    interpreter_at = strings_at + len(strings)
    interp = interpreter.encode() + b"\0"
    dynamic_at = interpreter_at + len(interp)
    dynamic = b"".join(struct.pack("<qQ", *tag) for tag in [*tags, (5, strings_at), (0, 0), (1, 1)])
    size = dynamic_at + len(dynamic)

    def header(kind: int, offset: int, length: int) -> bytes:
        return struct.pack("<IIQQQQQQ", kind, 4, offset, offset, offset, length, length, 1)

    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    fields = (elf_type, machine, 1, 0, 64, 0, 0, 64, 56, program_headers, 64, 0, 0)
    elf_header = identity + struct.pack("<HHIQQQIHHHHHH", *fields)
    headers = header(1, 0, size) + header(2, dynamic_at, len(dynamic))
    headers += header(3, interpreter_at, len(interp)) if interpreter else header(0, 0, 0)
    return elf_header + headers + bytes(strings) + interp + dynamic
