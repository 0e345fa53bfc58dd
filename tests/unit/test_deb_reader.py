"""Debian packages are read as streams, and refused where they could do harm."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from orchestrator.engines.assembler.deb import compression
from orchestrator.engines.assembler.deb.reader import DebMember, open_deb
from orchestrator.errors import ArtifactError
from orchestrator.oci.tar import EntryKind
from tests.debs import COMPRESSORS, ar_of, file, folder, link, make_deb, special


def contents(deb: Path) -> dict[str, bytes]:
    with open_deb(deb, "sample") as archive:
        return {member.entry.path: b"".join(member.chunks) for member in archive.members()}


@pytest.mark.parametrize("compression", list(COMPRESSORS))
def test_every_compression_gives_the_same_files(tmp_path: Path, compression: str) -> None:
    deb = make_deb(tmp_path / "a.deb", [file("./usr/bin/x", b"hello")], compression=compression)
    assert contents(deb) == {"usr/bin/x": b"hello"}


def test_zstd_without_its_library_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    deb = tmp_path / "a.deb"
    deb.write_bytes(ar_of({"debian-binary": b"2.0\n", "control.tar.zst": b""}))
    with pytest.raises(ArtifactError, match="zstd") as caught, open_deb(deb, "sample"):
        pass
    assert "zstandard" in caught.value.hint


def test_modes_owners_and_links_are_kept(tmp_path: Path) -> None:
    members = [
        file("./usr/bin/su", b"x", 0o4755),
        folder("./var/local", 0o2775, gid=50),
        link("./usr/bin/b", "./usr/bin/su", hard=True),
        link("./usr/bin/c", "../su"),
    ]
    with open_deb(make_deb(tmp_path / "a.deb", members), "sample") as archive:
        entries = {member.entry.path: member.entry for member in archive.members()}
    assert entries["usr/bin/su"].mode == 0o4755
    assert (entries["var/local"].mode, entries["var/local"].gid) == (0o2775, 50)
    assert entries["usr/bin/b"].link == "usr/bin/su"
    assert (entries["usr/bin/c"].kind, entries["usr/bin/c"].link) == (EntryKind.SYMLINK, "../su")


@pytest.mark.parametrize("path", ["/etc/passwd", "./../../etc/passwd", "./usr/../../x"])
def test_a_path_that_leaves_the_root_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ArtifactError, match=r"sample.*leaves the root"):
        contents(make_deb(tmp_path / "a.deb", [file(path)]))


def test_a_hard_link_that_leaves_the_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="leaves the root"):
        contents(make_deb(tmp_path / "a.deb", [link("./a", "../b", hard=True)]))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_device_nodes_and_fifos_are_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"sample.*dev/null"):
        contents(make_deb(tmp_path / "a.deb", [special("./dev/null", kind)]))


@pytest.mark.parametrize("compression", list(COMPRESSORS))
@pytest.mark.parametrize("missing", [1, 700, 3000])
def test_a_truncated_package_is_refused(tmp_path: Path, compression: str, missing: int) -> None:
    noise = bytes((index * index * 31 + index // 7) % 251 for index in range(9000))
    deb = make_deb(tmp_path / "a.deb", [file("./a", noise)], compression=compression)
    data = deb.read_bytes().rstrip(b"\n")
    deb.write_bytes(data[: len(data) - min(missing, len(data) // 2)])
    with pytest.raises(ArtifactError, match="sample"):
        contents(deb)


@pytest.mark.parametrize("compression", [".gz", ".xz", ".bz2"])
def test_a_damaged_checksum_behind_the_files_is_refused(tmp_path: Path, compression: str) -> None:
    deb = make_deb(tmp_path / "a.deb", [file("./a", b"x")], compression=compression)
    data = bytearray(deb.read_bytes().rstrip(b"\n"))
    data[-12] ^= 0xFF
    deb.write_bytes(data + b"\n" * (len(data) % 2))
    with pytest.raises(ArtifactError, match="sample"):
        contents(deb)


def test_a_package_that_unpacks_beyond_belief_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "RATIO_FREE_BYTES", 1 << 20)
    deb = make_deb(tmp_path / "a.deb", [file("./zeros", bytes(30 << 20))])
    with pytest.raises(ArtifactError, match="unpacks to more than"):
        contents(deb)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"!<arch>\n", b"!<arch>\nshort", ar_of({"debian-binary": b"2"})]
)
def test_what_is_no_package_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.deb").write_bytes(data)
    with pytest.raises(ArtifactError, match="sample"):
        contents(tmp_path / "a.deb")


def test_an_error_of_the_reader_is_not_taken_for_a_damaged_package(tmp_path: Path) -> None:
    deb = make_deb(tmp_path / "a.deb", [file("./a", b"x")])
    with pytest.raises(OSError, match="disk full"), open_deb(deb, "sample") as archive:
        _write_where_no_room_is(next(archive.members()))


def _write_where_no_room_is(member: DebMember) -> None:
    raise OSError(f"disk full at {member.entry.path}")
