"""What an sdist would write outside its folder, or make of this machine, is refused."""

from __future__ import annotations

import gzip
import os
import tarfile
from pathlib import Path

import pytest

from orchestrator.errors import ArtifactError
from orchestrator.wheelhouse.sdist import unpack_sdist
from tests.debs import file, link, tar_of
from tests.hostile.tars import END, extended, header, padded


def unpack(data: bytes, folder: Path) -> None:
    sdist = folder / "a-1.0.tar.gz"
    sdist.write_bytes(gzip.compress(data))
    unpack_sdist(sdist, sdist.name, folder / "out")


@pytest.mark.parametrize(
    "members",
    [
        [link("root/l", "../../outside"), file("root/l/x", b"evil")],
        [link("root/l", ".."), link("root/l/m", "../.."), file("root/l/m/x", b"evil")],
        [link("root/h", "../outside/secret", hard=True)],
        [link("root/h", "/etc/passwd", hard=True)],
        [link("root/s", "h"), link("root/h", "root/s", hard=True)],
        [link("root/h", "root/h", hard=True)],
        [file("root/a", b""), file("root/a/b", b"")],
        [file("/root/a", b"")],
        [link("root/c/d", "."), link("root/a", "c/d/../../.."), file("root/a/x", b"evil")],
    ],
    ids=[
        "through a link",
        "through two links",
        "a hard link outside",
        "an absolute hard link",
        "links in a circle",
        "a hard link to itself",
        "a file as folder",
        "an absolute name",
        "through a link that moved",
    ],
)
def test_nothing_is_written_or_read_outside(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(ArtifactError, match=r"a-1\.0\.tar\.gz is no sdist") as refused:
        unpack(tar_of(members), tmp_path)
    assert refused.value.hint
    new = set(tmp_path.rglob("*")) - set(before) - {tmp_path / "a-1.0.tar.gz"}
    assert all(path.is_relative_to(tmp_path / "out") for path in new)
    assert (outside / "secret").read_bytes() == b"secret"
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_a_hard_link_is_a_copy_of_what_came_before_it(tmp_path: Path) -> None:
    unpack(tar_of([file("root/a", b"x"), link("root/b", "root/a", hard=True)]), tmp_path)
    assert (tmp_path / "out/root/b").read_bytes() == b"x"
    assert (tmp_path / "out/root/b").stat().st_nlink == 1


def test_set_id_bits_and_capabilities_are_not_kept(tmp_path: Path) -> None:
    capability = extended({"SCHILY.xattr.security.capability": b"\1\0\0\2" + bytes(16)})
    info = tarfile.TarInfo("root/su")
    info.mode, info.size = 0o6755, 1
    unpack(capability + info.tobuf(tarfile.USTAR_FORMAT) + padded(b"x") + END, tmp_path)
    written = tmp_path / "out/root/su"
    assert written.stat().st_mode & 0o7777 == 0o755
    assert "security.capability" not in _attributes(written)


@pytest.mark.parametrize("time", ["nan", "-1e30", "1e30", "inf"])
def test_a_time_that_there_is_not_is_moved_to_one_that_there_is(tmp_path: Path, time: str) -> None:
    data = extended({"mtime": time}) + header("root/a") + END
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(data))
    root, newest_s = unpack_sdist(tmp_path / "a.tar.gz", "a", tmp_path / "out")
    assert (root / "a").is_file()
    assert 315_532_800 <= newest_s < 1 << 33


def test_a_bomb_is_refused_before_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.wheelhouse.sdist._RATIO_FREE_BYTES", 1 << 20)
    with pytest.raises(ArtifactError, match="unpacks to more than"):
        unpack(tar_of([file("root/zeros", bytes(8 << 20))]), tmp_path)
    written = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*"))
    assert written < 2 << 20


def _attributes(path: Path) -> list[str]:
    return os.listxattr(path)
