"""Tar headers are those that tarfile reads, and depend on nothing but the entry."""

from __future__ import annotations

import io
import tarfile

import pytest

from orchestrator.oci.tar import (
    BLOCK,
    END_OF_ARCHIVE,
    MTIME,
    Entry,
    EntryKind,
    padding,
    tar_header,
)

_TYPES = {
    EntryKind.FILE: tarfile.REGTYPE,
    EntryKind.HARDLINK: tarfile.LNKTYPE,
    EntryKind.SYMLINK: tarfile.SYMTYPE,
    EntryKind.DIRECTORY: tarfile.DIRTYPE,
}


def parse(header: bytes) -> tarfile.TarInfo:
    with tarfile.open(fileobj=io.BytesIO(header + END_OF_ARCHIVE)) as archive:
        info = archive.next()
    assert info is not None
    return info


@pytest.mark.parametrize("path", ["usr/bin/x", "a" * 100, "d/" * 60 + "f", "usr/ü", "a" * 300])
@pytest.mark.parametrize("kind", list(EntryKind))
def test_a_header_says_what_the_entry_says(path: str, kind: EntryKind) -> None:
    link = "usr/lib/" + "l" * 120 if kind in {EntryKind.HARDLINK, EntryKind.SYMLINK} else ""
    info = parse(tar_header(Entry(path, kind, 0o4755, 0, link, 1000, 33)))
    assert (info.name, info.type, info.linkname) == (path, _TYPES[kind], link)
    assert (info.mode, info.uid, info.gid) == (0o4755, 1000, 33)


@pytest.mark.parametrize(
    ("path", "link", "size", "owner"),
    [
        ("a" * 101, "", 0, 0),
        ("d/" * 60 + "f", "l" * 100, 3, 33),
        ("x" * 1200, "", 0, 0),
        ("ü" * 60, "x", 0, 0),
        ("short", "l" * 101, 0, 0),
        ("short", "ü", 0, 0),
        ("short", "", 1 << 33, 0),
        ("short", "", 0, 1 << 21),
        ("ü" * 120, "ü" * 120, 1 << 40, 1 << 22),
    ],
)
def test_a_header_of_several_blocks_is_as_tarfile_writes_it(
    path: str, link: str, size: int, owner: int
) -> None:
    info = tarfile.TarInfo(path)
    info.mode, info.size, info.mtime, info.linkname = 0o755, size, MTIME, link
    info.uid = info.gid = owner
    header = tar_header(Entry(path, EntryKind.FILE, 0o755, size, link, owner, owner))
    assert header == info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def test_no_header_holds_a_time_or_a_user_of_this_machine() -> None:
    for path in ("short", "long" * 50):
        info = parse(tar_header(Entry(path)))
        assert (info.mtime, info.uname, info.gname) == (MTIME, "", "")


def test_a_short_name_takes_one_block_and_a_directory_ends_in_a_slash() -> None:
    header = tar_header(Entry("usr/bin", EntryKind.DIRECTORY, 0o755))
    assert len(header) == BLOCK
    assert header.startswith(b"usr/bin/\0")


@pytest.mark.parametrize("size", [0, 1, (1 << 33) - 1, 1 << 33, 1 << 40])
def test_sizes_beyond_what_ustar_holds_are_kept(size: int) -> None:
    header = tar_header(Entry("big", size_bytes=size))
    info = tarfile.TarInfo.frombuf(header[-BLOCK:], "utf-8", "strict")
    pax = header[: -2 * BLOCK]
    assert info.size == size or f"size={size}\n".encode() in header
    assert bool(pax) == (size >= 1 << 33)


@pytest.mark.parametrize(("size", "zeros"), [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)])
def test_data_is_filled_up_to_a_whole_block(size: int, zeros: int) -> None:
    assert padding(size) == bytes(zeros)
