"""Settings: where they are found, what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import WorkspaceError
from orchestrator.model import Platform, StoragePrice
from orchestrator.settings import read_settings
from tests.helpers import write_tree


def test_settings_are_found_by_walking_up(tmp_path: Path) -> None:
    write_tree(tmp_path, {"orch.toml": 'registry = "example.com/x"', "a/b/c": ""})
    settings = read_settings(tmp_path / "a" / "b")
    assert (settings.file, settings.registry) == (tmp_path / "orch.toml", "example.com/x")


def test_settings_may_stand_in_pyproject_toml(tmp_path: Path) -> None:
    write_tree(tmp_path, {"pyproject.toml": '[tool.orch]\nbases = ["images/*"]\n'})
    assert read_settings(tmp_path).bases == ("images/*",)


def test_a_table_of_settings_alone_is_enough_in_pyproject_toml(tmp_path: Path) -> None:
    write_tree(tmp_path, {"pyproject.toml": '[tool.orch.python]\nversion = "3.12"\n'})
    assert read_settings(tmp_path).python.version == "3.12"


@pytest.mark.parametrize("text", ["[tool.black]\n", "[tool.orchestra]\n", "# see [tool.orch]\n"])
def test_another_project_s_pyproject_toml_is_passed_by(tmp_path: Path, text: str) -> None:
    write_tree(tmp_path, {"orch.toml": "", "service/pyproject.toml": text})
    assert read_settings(tmp_path / "service").file == tmp_path / "orch.toml"


def test_orch_toml_goes_before_pyproject_toml(tmp_path: Path) -> None:
    write_tree(tmp_path, {"orch.toml": "", "pyproject.toml": "[tool.orch]\n"})
    assert read_settings(tmp_path).file.name == "orch.toml"


def test_a_folder_without_settings_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"no orch\.toml in") as raised:
        read_settings(tmp_path)
    assert "bases" in raised.value.hint


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    write_tree(tmp_path, {"orch.toml": ""})
    settings = read_settings(tmp_path)
    assert settings.bases == ("base/*",)
    assert settings.platforms == (Platform("linux", "amd64"),)
    assert (settings.python.version, settings.debian.suite) == ("3.11", "bookworm")


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("bases = 'x'", "bases must be a list of strings", 1),
        ("\nservices = [1]", "services must be a list of strings", 2),
        ("platforms = []", "platforms is empty", 1),
        ('platforms = ["linux/vax"]', "unknown platform 'linux/vax'", 1),
        ('[python]\nversion = "3"', "version must be a minor version", 2),
        ('[python]\nversion = "3.11.2"', "version must be a minor version", 2),
        ('[python]\nvenv = "opt"', "venv must be an absolute path", 2),
        ("[python]\nverison = 1", r"\[python\] unknown key 'verison'", 2),
        ("[debian]\nsuite = 12", "suite must be a string", 2),
        ("python = 3", "python must be a table", 1),
        ("service = []", "unknown key 'service'", 1),
    ],
)
def test_wrong_settings_are_refused_with_their_line(
    tmp_path: Path, text: str, message: str, line: int
) -> None:
    write_tree(tmp_path, {"orch.toml": text})
    with pytest.raises(WorkspaceError, match=message) as raised:
        read_settings(tmp_path)
    assert (raised.value.file, raised.value.line) == (str(tmp_path / "orch.toml"), line)


def test_a_platform_that_is_said_twice_counts_once(tmp_path: Path) -> None:
    write_tree(tmp_path, {"orch.toml": 'platforms = ["linux/arm64", "linux/arm64"]'})
    assert read_settings(tmp_path).platforms == (Platform("linux", "arm64"),)


def test_a_price_of_storage_is_an_amount_and_a_currency(tmp_path: Path) -> None:
    write_tree(tmp_path, {"orch.toml": '[report]\nstorage-price = "0.10 USD"\n'})
    assert read_settings(tmp_path).report.price == StoragePrice(0.10, "USD")


def test_a_price_without_a_currency_is_refused(tmp_path: Path) -> None:
    write_tree(tmp_path, {"orch.toml": '[report]\nstorage-price = "0.10"\n'})
    with pytest.raises(WorkspaceError, match="no price") as caught:
        read_settings(tmp_path)
    assert caught.value.line == 2
