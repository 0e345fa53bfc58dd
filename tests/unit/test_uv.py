"""Asking uv: versions, files, and what it says when there are none."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from orchestrator.errors import MissingToolError, OutOfSpaceError
from orchestrator.model import Platform
from orchestrator.resolve.python.offered import Target
from orchestrator.resolve.python.uv import IndexesError, NoSolutionError, Uv
from tests.houses import TARGET, House

ARM = Target(Platform("linux", "arm64"), "3.11", (2, 36))


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.add("alpha 1.0: beta>=1", "alpha 2.0: beta>=1", "beta 1.5", "Gamma_x 1.0: alpha<2")
    return house


def pins(house: House, *wanted: str, **given: Any) -> dict[str, str]:
    return house.uv().compile_pins(wanted, given.pop("constraints", ()), TARGET, **given)


def test_the_newest_versions_are_taken_with_all_they_need(house: House) -> None:
    assert pins(house, "alpha") == {"alpha": "2.0", "beta": "1.5"}


def test_constraints_bound_versions_and_ask_for_nothing(house: House) -> None:
    assert pins(house, "beta", constraints=["alpha<2"]) == {"beta": "1.5"}
    assert pins(house, "alpha", constraints=["alpha<2"])["alpha"] == "1.0"


def test_names_are_normalised_and_extras_left_out(house: House) -> None:
    assert "gamma-x" in pins(house, "Gamma_X")
    assert pins(house, "beta[fast]") == {"beta": "1.5"}


def test_preferred_versions_are_kept_where_they_satisfy(house: House) -> None:
    assert pins(house, "alpha", preferred={"alpha": "1.0"})["alpha"] == "1.0"
    assert pins(house, "alpha>1", preferred={"alpha": "1.0"})["alpha"] == "2.0"


def test_a_conflict_is_explained_in_a_sentence(house: House) -> None:
    with pytest.raises(NoSolutionError) as caught:
        pins(house, "alpha>=2", "gamma-x")
    assert "depend on alpha<2 and you require alpha>=2" in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_project_that_nobody_has_is_named(house: House) -> None:
    with pytest.raises(NoSolutionError, match="nothing was not found"):
        pins(house, "nothing")


def test_a_project_without_any_wheel_is_taken_as_sdist(house: House) -> None:
    house.add_sdist("only", "3.0")
    assert pins(house, "only", "beta") == {"only": "3.0", "beta": "1.5"}


def test_a_wheel_is_taken_before_a_newer_sdist(house: House) -> None:
    house.add_sdist("beta", "9.0")
    assert pins(house, "beta") == {"beta": "1.5"}


def test_versions_are_those_that_the_target_can_load(house: House) -> None:
    house.add("native 1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    house.add("native 2.0", tag="cp311-cp311-manylinux_2_17_aarch64")
    house.add("native 3.0", tag="cp311-cp311-manylinux_2_39_x86_64")
    assert house.uv().compile_pins(["native"], [], TARGET) == {"native": "1.0"}
    assert house.uv().compile_pins(["native"], [], ARM) == {"native": "2.0"}
    newer = replace(TARGET, glibc=(2, 39))
    assert house.uv().compile_pins(["native"], [], newer) == {"native": "3.0"}


def test_markers_are_those_of_the_target(house: House) -> None:
    line = 'beta; python_version < "3.11" or platform_machine == "aarch64"'
    assert house.uv().compile_pins([line], [], TARGET) == {}
    assert house.uv().compile_pins([line], [], ARM) == {"beta": "1.5"}


def test_files_come_with_digest_and_place(house: House) -> None:
    house.add("beta 1.5", tag="cp311-cp311-manylinux_2_17_x86_64")
    files = house.uv().find_files({"beta": "1.5"}, TARGET)["beta"]
    wheel = house.wheels / "beta-1.5-py3-none-any.whl"
    found = {file.file: file for file in files}
    assert len(found) == 2
    assert found[wheel.name].url == wheel.as_uri()
    assert found[wheel.name].sha256 == hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_the_file_of_a_project_without_any_wheel_is_its_sdist(house: House) -> None:
    house.add_sdist("only", "3.0")
    uv = house.uv()
    uv.compile_pins(["only"], [], TARGET)
    assert [file.file for file in uv.find_files({"only": "3.0"}, TARGET)["only"]] == [
        "only-3.0.tar.gz"
    ]


def test_a_version_that_is_gone_has_no_files(house: House) -> None:
    with pytest.raises(NoSolutionError, match="beta==7"):
        house.uv().find_files({"beta": "7"}, TARGET)


def test_what_cannot_be_answered_from_the_cache_is_asked_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, offline = subprocess.run, []

    def noting(command: list[str], **given: Any) -> Any:
        offline.append("--offline" in command)
        return run([*command, "--offline"] if not offline[-1] else command, **given)

    monkeypatch.setattr(subprocess, "run", noting)
    uv = Uv(house.indexes, house.folder / "uv-cache")
    assert uv.compile_pins(["beta"], [], TARGET, cached=True) == {"beta": "1.5"}
    assert offline == [True]
    with pytest.raises(NoSolutionError):
        uv.compile_pins(["nothing"], [], TARGET, cached=True)
    assert offline == [True, True, False]


def test_an_index_that_does_not_answer_is_no_reason_to_change_requirements(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "error: Request failed after 3 retries\n  Caused by: Failed to fetch: `http://h/beta/`\n"
    failed = subprocess.CompletedProcess([], 2, "", said)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(IndexesError, match="Failed to fetch") as caught:
        pins(house, "beta")
    assert "try again later" in caught.value.hint
    assert "requirement" not in caught.value.hint


def test_a_full_disk_of_uvs_is_no_reason_to_check_the_network(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "error: failed to write to file `/cache/uv/x`: No space left on device (os error 28)\n"
    failed = subprocess.CompletedProcess([], 2, "", said)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(OutOfSpaceError, match=r"uv: no space left .*/cache/uv/x") as caught:
        pins(house, "beta")
    assert "free some space" in caught.value.hint


def test_an_index_that_never_answers_is_an_error_at_last(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", Mock(side_effect=subprocess.TimeoutExpired("uv", 900)))
    with pytest.raises(IndexesError, match="no answer within 900 seconds"):
        pins(house, "beta")


def test_settings_of_the_users_own_uv_do_not_count(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OVERRIDE", "/no/such/file")
    monkeypatch.setenv("UV_RESOLUTION", "lowest")
    assert pins(house, "alpha")["alpha"] == "2.0"


def test_without_indexes_folders_alone_are_asked(house: House) -> None:
    indexes = replace(house.indexes, index_url="file:///no/such/index", no_index=True)
    uv = Uv(indexes, house.folder / "uv-cache", offline=True)
    assert uv.compile_pins(["beta"], [], TARGET) == {"beta": "1.5"}


def test_without_uv_the_error_says_what_to_install(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    with pytest.raises(MissingToolError, match="uv is not installed"):
        house.uv()
