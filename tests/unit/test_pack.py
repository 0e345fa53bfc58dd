"""Writing wheels again: equal contents are equal bytes, under a name that says what is in them."""

from __future__ import annotations

import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.errors import ArtifactError
from orchestrator.model import Platform
from orchestrator.wheelhouse.abi import platform_tag
from orchestrator.wheelhouse.pack import holds, pack_wheel
from tests.debs import make_elf
from tests.wheels import make_wheel, record_hash

TIME_S = 1_600_000_000
FILES = {"b.py": b"b\n", "a.py": b"a\n"}


def test_the_order_of_members_their_times_and_their_record_do_not_count(tmp_path: Path) -> None:
    one = make_wheel(tmp_path / "1", files=FILES, record={"a.py": None})
    two = make_wheel(tmp_path / "2", files=dict(reversed(FILES.items())), stored=["a.py"])
    packed = [pack_wheel(wheel, wheel.parent / "out", None, TIME_S) for wheel in (one, two)]
    assert packed[0].read_bytes() == packed[1].read_bytes()
    assert packed[0].name == one.name


def test_a_record_names_every_file_with_its_digest(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files=FILES, record={"a.py": None, "b.py": "sha256=wrong"})
    with zipfile.ZipFile(pack_wheel(wheel, tmp_path / "out", None, TIME_S)) as archive:
        rows = archive.read("sample-1.0.dist-info/RECORD").decode().splitlines()
    assert rows[0] == f"a.py,{record_hash(FILES['a.py'])},2"
    assert rows[-1] == "sample-1.0.dist-info/RECORD,,"


def test_modes_are_plain_and_executables_stay_executable(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files=FILES, executable=["a.py"])
    with zipfile.ZipFile(pack_wheel(wheel, tmp_path / "out", None, TIME_S)) as archive:
        modes = {info.filename: info.external_attr >> 16 & 0o777 for info in archive.infolist()}
        assert {info.date_time for info in archive.infolist()} == {(2020, 9, 13, 12, 26, 40)}
    assert (modes["a.py"], modes["b.py"]) == (0o755, 0o644)


def test_another_platform_is_in_the_name_and_in_the_tags(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files=FILES, tag="cp311-cp311-linux_x86_64")
    packed = pack_wheel(wheel, tmp_path / "out", "manylinux_2_17_x86_64", TIME_S)
    assert packed.name == "sample-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"
    with zipfile.ZipFile(packed) as archive:
        text = archive.read("sample-1.0.dist-info/WHEEL").decode()
    assert [line for line in text.splitlines() if line.startswith("Tag:")] == [
        "Tag: cp311-cp311-manylinux_2_17_x86_64"
    ]


def test_what_is_no_wheel_is_said(tmp_path: Path) -> None:
    (tmp_path / "x-1.0-py3-none-any.whl").write_bytes(b"no archive")
    with pytest.raises(ArtifactError, match="is no wheel"):
        pack_wheel(tmp_path / "x-1.0-py3-none-any.whl", tmp_path / "out", None, TIME_S)
    with zipfile.ZipFile(tmp_path / "y-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("y.py", "")
    with pytest.raises(ArtifactError, match=r"no \.dist-info/WHEEL"):
        pack_wheel(tmp_path / "y-1.0-py3-none-any.whl", tmp_path / "out", None, TIME_S)


def test_a_text_is_found_in_members(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files={"a.py": b"x = '/tmp/build-1'", "b.py": b""})
    assert holds(wheel, "/tmp/build-1") == ["a.py"]


def test_a_wheel_without_libraries_has_no_platform_of_its_own(tmp_path: Path) -> None:
    assert platform_tag(make_wheel(tmp_path, files=FILES), Platform("linux", "amd64")) is None


def test_wheels_are_judged_side_by_side_and_nobody_s_working_folder_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves: list[object] = []
    monkeypatch.setattr(os, "chdir", moves.append)
    wheel, platform = make_wheel(tmp_path, files=FILES), Platform("linux", "amd64")
    with ThreadPoolExecutor(3) as pool:
        tags = list(pool.map(platform_tag, [wheel] * 3, [platform] * 3))
    assert (tags, moves) == ([None] * 3, [])


def test_a_library_of_another_machine_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files={"native.so": make_elf()}, tag="cp311-cp311-linux_aarch64")
    with pytest.raises(ArtifactError, match="not for linux/arm64"):
        platform_tag(wheel, Platform("linux", "arm64"))
