"""Segments are gzip streams of tar members, and what lies compressed stays as it lies."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import zlib

import pytest

from orchestrator.oci.segment import CHUNK, SegmentInfo, SegmentWriter
from orchestrator.oci.tar import BLOCK, Entry, EntryKind, tar_header


def deflate(data: bytes, level: int = 9) -> bytes:
    squeeze = zlib.compressobj(level, zlib.DEFLATED, -15)
    return squeeze.compress(data) + squeeze.flush()


def add_deflated(writer: SegmentWriter, entry: Entry, data: bytes) -> bytes:
    stored = deflate(data)
    writer.begin_deflated(entry)
    writer.deflated(stored[:7], data[:10])
    writer.deflated(stored[7:], data[10:])
    writer.end_deflated(entry, zlib.crc32(data), hashlib.sha256(data).hexdigest())
    return stored


def read(segment: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(segment), mode="r:gz") as archive:
        files = {info.name: archive.extractfile(info) for info in archive}
        return {name: file.read() if file else b"" for name, file in files.items()}


def test_members_come_back_as_they_were_added() -> None:
    big = os.urandom(1000) * 3000
    out = io.BytesIO()
    writer = SegmentWriter(out)
    writer.add(Entry("etc/empty"))
    writer.add(Entry("etc/x", size_bytes=3), b"abc")
    writer.add_stream(Entry("big", size_bytes=len(big)), (big[:CHUNK], big[CHUNK:]))
    writer.add(Entry("etc/l", EntryKind.SYMLINK, 0o777, link="x"))
    add_deflated(writer, Entry("code.py", size_bytes=5000), b"hello" * 1000)
    writer.close()
    assert read(out.getvalue()) == {
        "etc/empty": b"",
        "etc/x": b"abc",
        "big": big,
        "etc/l": b"abc",
        "code.py": b"hello" * 1000,
    }


def test_the_plain_side_is_hashed_as_it_inflates() -> None:
    out, plain = io.BytesIO(), hashlib.sha256()
    writer = SegmentWriter(out, plain)
    writer.add(Entry("a", size_bytes=700), bytes(700))
    add_deflated(writer, Entry("b", size_bytes=13), b"some contents")
    writer.close()
    inflated = gzip.decompress(out.getvalue())
    assert plain.hexdigest() == hashlib.sha256(inflated).hexdigest()
    assert len(inflated) % BLOCK == 0


def test_deflated_data_and_headers_lie_in_the_segment_as_they_are() -> None:
    out = io.BytesIO()
    writer = SegmentWriter(out)
    entry = Entry("lib/code.py", size_bytes=6000)
    stored = add_deflated(writer, entry, b"def f(): pass\n"[:12] * 500)
    writer.close()
    assert stored in out.getvalue()
    assert tar_header(entry) in out.getvalue()


def test_segments_put_one_after_the_other_are_one_stream() -> None:
    parts = []
    for name in ("a", "b"):
        out = io.BytesIO()
        writer = SegmentWriter(out)
        writer.add(Entry(name, size_bytes=1), name.encode())
        writer.close()
        parts.append(out.getvalue())
    assert read(b"".join(parts)) == {"a": b"a", "b": b"b"}


def test_equal_members_give_equal_bytes() -> None:
    def make() -> bytes:
        out = io.BytesIO()
        writer = SegmentWriter(out)
        writer.add(Entry("x", size_bytes=100_000), b"ab" * 50_000)
        writer.close()
        return out.getvalue()

    assert make() == make()


def test_the_checksum_is_of_the_bytes_written() -> None:
    out = io.BytesIO()
    writer = SegmentWriter(out)
    add_deflated(writer, Entry("x", size_bytes=13), b"some contents")
    writer.add(Entry("y", size_bytes=1), b"y")
    assert writer.close().crc32 == zlib.crc32(out.getvalue())


@pytest.mark.parametrize("data", [b"ab", b"abcd"])
def test_data_of_another_length_than_promised_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="3 were promised"):
        SegmentWriter(io.BytesIO()).add(Entry("x", size_bytes=3), data)


def test_what_a_segment_holds_is_remembered() -> None:
    writer = SegmentWriter(io.BytesIO())
    writer.info.notes["elf"] = [{"path": "x"}]
    writer.add(Entry("tmp", EntryKind.DIRECTORY, 0o1777))
    writer.add(Entry("x", mode=0o755, size_bytes=3, uid=5, gid=6), b"abc")
    writer.add(Entry("y", EntryKind.HARDLINK, link="x"))
    info = SegmentInfo.from_json(writer.close().to_json())
    assert info == writer.info
    assert [entry.kind for entry in info.entries] == ["directory", "file", "hardlink"]
    assert [bool(entry.sha256) for entry in info.entries] == [False, True, False]
    assert info.entries[1].sha256 == hashlib.sha256(b"abc").hexdigest()
    assert info.unpacked_bytes == 3
    assert info.notes == {"elf": [{"path": "x"}]}


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"entries":[[1]],"unpacked_bytes":0,"crc32":0,"notes":{}}']
)
def test_text_that_is_no_info_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"info|Expecting"):
        SegmentInfo.from_json(text)
