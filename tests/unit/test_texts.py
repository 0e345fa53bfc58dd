"""Text files of people: pipes, devices, byte order marks, conflicts that nobody settled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.texts import conflict_line, read_text


def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"\xef\xbb\xbffastapi\n")
    assert read_text(file) == "fastapi\n"


def test_lines_end_as_on_any_system(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a\r\nb\r\n")
    assert read_text(file) == "a\nb\n"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a pipe or a device"):
        read_text(tmp_path / "pipe")


def test_a_device_without_end_is_refused() -> None:
    with pytest.raises(OSError, match="a pipe or a device"):
        read_text(Path("/dev/zero"))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_text(tmp_path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> other\n", 2),
        ("a <<<<<<< b\n", None),
        ("<<<<<<<\n", None),
        ("", None),
    ],
)
def test_a_conflict_begins_with_git_s_mark(text: str, line: int | None) -> None:
    assert conflict_line(text) == line
