"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.atomic import replacing, write_output, write_text
from orchestrator.errors import OrchError, OutOfSpaceError, disk_error


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b.txt", "ä", sync=True)
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"\xc3\xa4"


def test_the_old_file_stays_until_the_block_ends(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("old")
    with replacing(file) as new:
        new.write(b"new")
        new.flush()
        assert file.read_text() == "old"
    assert file.read_text() == "new"


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("old")

    def write() -> None:
        with replacing(file) as new:
            new.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert file.read_text() == "old"


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x"
    file.write_text("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutOfSpaceError, match=f"no space left while writing {file}"):
        write_text(file, "new", sync=True)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert file.read_text() == "old"


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OrchError, match=str(tmp_path)):
        write_text(tmp_path / "file" / "x", "")


def test_the_umask_holds_for_the_mode(tmp_path: Path) -> None:
    with replacing(tmp_path / "x", mode=0o777):
        pass
    umask = os.umask(0o022)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o777 & ~umask


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.EIO, "the disk may be failing"),
        (errno.EROFS, "mounted read-only"),
        (errno.EACCES, "let the user who runs orch at it"),
    ],
)
def test_an_error_of_the_disk_says_what_to_do_about_it(
    tmp_path: Path, number: int, hint: str
) -> None:
    with pytest.raises(OrchError) as raised, replacing(tmp_path / "x"):
        raise OSError(number, os.strerror(number))
    assert hint in raised.value.hint
    assert str(tmp_path / "x") in raised.value.message


def test_an_error_that_names_no_file_says_no_file() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    assert disk_error(full).message == "no space left on a disk"
    assert "TMPDIR" in disk_error(full).hint
    assert disk_error(OSError(errno.EIO, "Input/output error")).message == "Input/output error"
    assert disk_error(PermissionError(errno.EACCES, "no", "/x")).message == "/x: no"


def test_a_pipe_that_a_person_names_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as reader:
        read = reader.submit((tmp_path / "pipe").read_text)
        write_output(tmp_path / "pipe", "said")
        assert read.result() == "said"
    assert (tmp_path / "pipe").is_fifo()


def test_a_descriptor_that_a_person_names_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+") as out:
        write_output(Path(f"/proc/self/fd/{out.fileno()}"), "said")
        assert out.read() == "said"


def test_a_device_that_is_full_is_an_error_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(OutOfSpaceError):
        write_output(tmp_path / "full", "said")
    assert (tmp_path / "full").is_char_device()


def test_a_file_that_a_person_names_is_written_whole(tmp_path: Path) -> None:
    write_output(tmp_path / "new/file", "said")
    assert (tmp_path / "new/file").read_text() == "said"
