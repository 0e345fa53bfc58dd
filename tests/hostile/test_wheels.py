"""A wheel that would fill the memory or the disk, or is two things at once, is refused."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from orchestrator.engines.assembler.wheel import archive
from orchestrator.errors import ArtifactError
from orchestrator.wheelhouse.pack import pack_wheel
from tests.wheels import lay_wheel, make_wheel

NAME = "sample-1.0-py3-none-any.whl"


def refusal(wheel: Path) -> str:
    with pytest.raises(ArtifactError) as refused:
        lay_wheel(wheel)
    assert refused.value.message.startswith(f"{wheel.name}: ")
    assert "pin another version" in refused.value.hint
    return refused.value.message


def test_files_that_share_their_data_are_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files={"a.bin": bytes(9000), "b.bin": bytes(9000)})
    data = bytearray(wheel.read_bytes())
    first, second = _central_headers(data)[:2]
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    wheel.write_bytes(data)
    assert "shares its data with another file" in refusal(wheel)


def _central_headers(data: bytes | bytearray) -> list[int]:
    found, at = [], data.find(b"PK\1\2")
    while at >= 0:
        found.append(at)
        at = data.find(b"PK\1\2", at + 4)
    return found


def test_a_wheel_of_many_bombs_each_small_enough_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_MOST_FREE_BYTES", 8 << 20)
    wheel = make_wheel(tmp_path, files={f"{number}.bin": bytes(1 << 20) for number in range(9)})
    assert "holds 943" in refusal(wheel)


@pytest.mark.parametrize("comment", [b"", b"a comment", b"PK\5\6 and more of it, as a trap"])
def test_a_directory_that_would_fill_the_memory_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, comment: bytes
) -> None:
    monkeypatch.setattr(archive, "_MOST_DIRECTORY_BYTES", 4096)
    wheel = tmp_path / NAME
    with zipfile.ZipFile(wheel, "w") as packed:
        for number in range(20_000):
            packed.writestr(str(number), b"")
        packed.comment = comment
    tracemalloc.start()
    try:
        message = refusal(wheel)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "its directory is of" in message
    assert peak_bytes < 2 << 20


def test_a_directory_of_zip64_is_measured_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_MOST_DIRECTORY_BYTES", 4096)
    end_64 = b"PK\6\6" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, 1, 1, 1 << 40, 0)
    locator = b"PK\6\7" + struct.pack("<LQL", 0, 0, 1)
    end = b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, 0xFFFF, 0xFFFF, 1, 1, 0)
    (tmp_path / NAME).write_bytes(bytes(200) + end_64 + locator + end)
    assert f"its directory is of {1 << 40}" in refusal(tmp_path / NAME)


def test_a_record_that_nobody_wrote_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_MOST_TEXT_BYTES", 1 << 16)
    wheel = tmp_path / NAME
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("sample-1.0.dist-info/RECORD", b"x" * (1 << 17))
    assert "RECORD is of 131072 bytes, which nobody wrote" in refusal(wheel)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_record_in_another_compression_is_not_read(tmp_path: Path, method: int) -> None:
    wheel = tmp_path / NAME
    with zipfile.ZipFile(wheel, "w", method) as packed:
        packed.writestr("sample-1.0.dist-info/RECORD", b"x")
    assert "stored in a way that wheels may not use" in refusal(wheel)


@pytest.mark.parametrize(
    "path", ["d/" * 60 + "f", "n" * 2000], ids=["too deep a path", "too long a path"]
)
def test_a_path_that_no_package_has_is_refused(tmp_path: Path, path: str) -> None:
    assert "longer or deeper than any path" in refusal(make_wheel(tmp_path, files={path: b""}))


def test_a_file_that_is_a_folder_too_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files={"a": b"", "a-b": b"", "a/b.py": b""})
    assert "a is a file and a folder" in refusal(wheel)


def test_names_that_differ_in_case_or_in_unicode_form_stay_apart(tmp_path: Path) -> None:
    names = ["sample/A.py", "sample/a.py", "sample/\u00e9.py", "sample/e\u0301.py"]
    info, _ = lay_wheel(make_wheel(tmp_path, files=dict.fromkeys(names, b"")))
    laid = {entry.path.partition("site-packages/")[2] for entry in info.entries}
    assert laid >= set(names)


def test_a_script_that_would_be_installed_elsewhere_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, entry_points="[console_scripts]\n../../evil = sample:main\n")
    assert "'../../evil' is no file name" in refusal(wheel)


@pytest.mark.parametrize("data", [b"", b"PK\5\6", b"PK\3\4" + bytes(99)])
def test_what_a_build_left_and_is_no_wheel_is_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / NAME).write_bytes(data)
    with pytest.raises(ArtifactError, match="is no wheel") as refused:
        pack_wheel(tmp_path / NAME, tmp_path / "out", None, 0)
    assert refused.value.hint


def test_a_bomb_that_a_build_left_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.wheelhouse.pack._MOST_BYTES", 1 << 20)
    wheel = make_wheel(tmp_path, files={"zeros.bin": bytes(2 << 20)})
    with pytest.raises(ArtifactError, match="holds more than 1048576 bytes"):
        pack_wheel(wheel, tmp_path / "out", None, 0)
