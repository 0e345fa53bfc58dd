"""Headers of any entry, read back by the standard library's reader."""

from __future__ import annotations

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.oci.tar import (
    BLOCK,
    END_OF_ARCHIVE,
    MTIME,
    Entry,
    EntryKind,
    padding,
    tar_header,
)

PARTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=60
).filter(lambda part: part not in {".", ".."})
PATHS = st.one_of(
    st.lists(PARTS, min_size=1, max_size=5).map("/".join),
    st.integers(95, 260).map(lambda length: "x" * length),  # about where a ustar field ends
)
IDS = st.integers(0, 0o7777777)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    kind = draw(st.sampled_from(EntryKind))
    linked = kind in {EntryKind.SYMLINK, EntryKind.HARDLINK}
    return Entry(
        path=draw(PATHS),
        kind=kind,
        mode=draw(st.integers(0, 0o7777)),
        size_bytes=draw(st.integers(0, 2000)) if kind is EntryKind.FILE else 0,
        link=draw(PATHS) if linked else "",
        uid=draw(IDS),
        gid=draw(IDS),
    )


@given(st.lists(entries(), max_size=5))
def test_entries_are_read_back_with_equal_fields(written: list[Entry]) -> None:
    archive = io.BytesIO()
    for entry in written:
        archive.write(tar_header(entry))
        archive.write(b"x" * entry.size_bytes + padding(entry.size_bytes))
    archive.write(END_OF_ARCHIVE)
    archive.seek(0)
    with tarfile.open(fileobj=archive, mode="r:") as tar:
        found = [
            Entry(
                member.name,
                EntryKind(member.type),
                member.mode,
                member.size,
                member.linkname,
                member.uid,
                member.gid,
            )
            for member in tar
        ]
        assert all(member.mtime == MTIME for member in tar)
        assert all(member.uname == member.gname == "" for member in tar)
    assert found == written


@given(entries())
def test_a_name_beyond_ascii_is_in_a_pax_record(entry: Entry) -> None:
    if not (entry.path + entry.link).isascii():
        assert tar_header(entry)[156:157] == b"x"


@given(entries())
def test_a_header_is_whole_blocks_and_follows_from_the_entry_alone(entry: Entry) -> None:
    assert len(tar_header(entry)) % BLOCK == 0
    assert tar_header(entry) == tar_header(entry)


@given(st.integers(0, 1 << 40))
def test_padding_fills_up_to_a_block_and_no_more(size_bytes: int) -> None:
    pad = padding(size_bytes)
    assert (size_bytes + len(pad)) % BLOCK == 0
    assert len(pad) < BLOCK
