"""What a Debian package may not leave in an image, and how its own archive may lie."""

from __future__ import annotations

import lzma
import tarfile
from pathlib import Path

import pytest

from orchestrator.engines.assembler.deb.reader import open_deb
from orchestrator.errors import ArtifactError
from tests.debs import ar_of, file, lay_deb, link, make_deb, tar_of
from tests.hostile.tars import END, octal, with_checksum

CONTROL = tar_of([file("./control", b"Package: a\nVersion: 1\n")])


def write_deb(folder: Path, data: bytes, suffix: str = "") -> Path:
    deb = folder / "a.deb"
    parts = {"debian-binary": b"2.0\n", "control.tar": CONTROL, f"data.tar{suffix}": data}
    deb.write_bytes(ar_of(parts))
    return deb


@pytest.mark.parametrize(
    "members",
    [
        [file("./a", b"x"), file("./a/b", b"y")],
        [link("./a", "/etc"), file("./a/passwd", b"evil")],
        [file("./a", b"x"), file("./a", b"y")],
        [file("./lib/a", b"x"), file("./usr/lib/a", b"y")],
        [file("./" + "d/" * 60 + "f", b"x")],
        [file("./" + "n" * 2000, b"x")],
    ],
    ids=[
        "a file as folder",
        "through a link",
        "one name twice",
        "one name twice in a merged usr",
        "too deep",
        "too long",
    ],
)
def test_a_package_that_no_archive_would_take_is_refused(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    with pytest.raises(ArtifactError, match="sample") as refused:
        lay_deb(tmp_path, members)
    assert refused.value.hint


def test_names_that_differ_in_case_or_in_unicode_form_stay_apart(tmp_path: Path) -> None:
    names = [f"usr/share/x/{name}" for name in ("Readme", "README", "\u00e9", "e\u0301")]
    info, _ = lay_deb(tmp_path, [file(f"./{name}", b"x") for name in names])
    assert [entry.path for entry in info.entries if entry.path in names] == names


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    info, data = file("./usr/share/x", b"")
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    block[12:13] = b"\xff"
    deb = write_deb(tmp_path, with_checksum(block, octal(len(data))) + END)
    with pytest.raises(ArtifactError, match="no UTF-8"):
        read(deb)


@pytest.mark.parametrize(
    "size", [b"-60       ", b"1_0       ", b"+5        ", b"9999999999", b"          "]
)
def test_a_size_in_its_ar_archive_that_is_none_is_refused(tmp_path: Path, size: bytes) -> None:
    deb = make_deb(tmp_path / "a.deb", [])
    data = bytearray(deb.read_bytes())
    data[8 + 48 : 8 + 58] = size
    deb.write_bytes(data)
    with pytest.raises(ArtifactError, match="sample"):
        read(deb)


def test_members_of_its_ar_archive_have_an_end(tmp_path: Path) -> None:
    one = b"%-16s%-12s%-6s%-6s%-8s%-10s`\n" % (b"x", b"0", b"0", b"0", b"100644", b"0")
    (tmp_path / "a.deb").write_bytes(b"!<arch>\n" + one * 100_000)
    with pytest.raises(ArtifactError, match="sample"):
        read(tmp_path / "a.deb")


def test_xz_data_that_wants_too_much_memory_is_refused(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30, "preset": 0}]
    data = lzma.compress(b"x" * 1000, filters=filters)
    with pytest.raises(ArtifactError, match=r"sample.*[Mm]emory"):
        read(write_deb(tmp_path, data, ".xz"))


def read(deb: Path) -> None:
    with open_deb(deb, "sample") as archive:
        for _ in archive.members():
            pass
