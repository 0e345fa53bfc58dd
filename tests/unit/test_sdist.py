"""Reading sdists: what they ask for, how old they are, and that they stay in their folder."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from orchestrator.errors import ArtifactError
from orchestrator.wheelhouse.sdist import EARLIEST_S, read_build_requires, unpack_sdist
from tests.sdists import TIME_S, make_buildable, write_sdist


def write_members(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def test_build_requirements_are_those_of_pyproject(tmp_path: Path) -> None:
    sdist = make_buildable(tmp_path, requires='"setuptools >= 61", "cython"')
    assert read_build_requires(sdist, "x") == ("setuptools>=61", "cython")


def test_without_pyproject_setuptools_is_meant(tmp_path: Path) -> None:
    sdist = write_sdist(tmp_path, "old-1.0", {"setup.py": "", "sub/pyproject.toml": "x"})
    assert read_build_requires(sdist, "x") == ("setuptools",)


@pytest.mark.parametrize(
    "text", ["no toml", "[build-system]\nrequires = 1\n", '[build-system]\nrequires = ["a b"]\n']
)
def test_a_pyproject_that_cannot_be_used_is_said(tmp_path: Path, text: str) -> None:
    sdist = write_sdist(tmp_path, "bad-1.0", {"pyproject.toml": text})
    with pytest.raises(ArtifactError, match=r"bad-1\.0\.tar\.gz .*pyproject\.toml"):
        read_build_requires(sdist, sdist.name)


def test_files_are_unpacked_with_their_times_and_plain_modes(tmp_path: Path) -> None:
    info = member("a-1.0/run.sh", mode=0o4777)
    info.mtime = TIME_S
    sdist = write_members(tmp_path / "a-1.0.tar.gz", (info, b"x"), (member("a-1.0/f"), b""))
    root, newest_s = unpack_sdist(sdist, "a", tmp_path / "out")
    assert newest_s == TIME_S
    assert (root / "run.sh").stat().st_mode & 0o7777 == 0o755
    assert (root / "run.sh").stat().st_mtime == TIME_S


def test_a_time_before_zip_archives_is_moved_to_their_first(tmp_path: Path) -> None:
    sdist = write_members(tmp_path / "a-1.0.tar.gz", (member("a-1.0/f"), b""))
    assert unpack_sdist(sdist, "a", tmp_path / "out")[1] == EARLIEST_S


@pytest.mark.parametrize(
    "odd",
    [
        member("a-1.0/../../escaped"),
        member("a-1.0/link", tarfile.SYMTYPE, "../../escaped"),
        member("a-1.0/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("a-1.0/device", tarfile.CHRTYPE),
        member("a-1.0/fifo", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.name} {info.linkname}",
)
def test_what_would_leave_the_folder_is_refused(tmp_path: Path, odd: tarfile.TarInfo) -> None:
    sdist = write_members(tmp_path / "a-1.0.tar.gz", (member("a-1.0/f"), b""), (odd, b""))
    with pytest.raises(ArtifactError, match="a is no sdist that can be built"):
        unpack_sdist(sdist, "a", tmp_path / "out")
    assert not (tmp_path / "escaped").exists()


def test_a_file_through_a_link_stays_inside(tmp_path: Path) -> None:
    link = member("a-1.0/in", tarfile.SYMTYPE, "sub")
    files = [(member("a-1.0/sub/f"), b"x"), (link, b""), (member("a-1.0/in/g"), b"y")]
    root, _ = unpack_sdist(write_members(tmp_path / "a.tar.gz", *files), "a", tmp_path / "out")
    assert (root / "sub/g").read_bytes() == b"y"


@pytest.mark.parametrize("data", [b"", b"no archive", b"\x1f\x8b\x08garbage"])
def test_what_is_no_archive_is_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.tar.gz").write_bytes(data)
    with pytest.raises(ArtifactError, match="is no sdist that can be built"):
        unpack_sdist(tmp_path / "a.tar.gz", "a", tmp_path / "out")
