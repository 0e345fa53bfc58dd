"""Where packages come from: the settings, and pip's configuration as pip reads it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.model import PythonSettings
from orchestrator.resolve.python.indexes import Indexes, read_indexes


@pytest.fixture(autouse=True)
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the running Python a prefix of its own, and return it."""
    folder = tmp_path / "prefix"
    folder.mkdir()
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(sys, "base_prefix", str(folder))
    return folder


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def read(tmp_path: Path, settings: PythonSettings | None = None, **env: str) -> Indexes:
    """Read with a home folder and nothing of this machine's, except /etc/pip.conf."""
    found: Mapping[str, str] = {"XDG_CONFIG_DIRS": str(tmp_path / "xdg"), **env}
    return read_indexes(settings or PythonSettings(), found, tmp_path / "home")


def url(tmp_path: Path, **env: str) -> str:
    return read(tmp_path, None, **env).index_url


def index(name: str, section: str = "global") -> str:
    return f"[{section}]\nindex-url = https://{name}.example.com/simple\n"


def test_files_are_read_in_pips_order_and_later_ones_win(tmp_path: Path, prefix: Path) -> None:
    files = {
        "xdg": tmp_path / "xdg/pip/pip.conf",
        "legacy": tmp_path / "home/.pip/pip.conf",
        "user": tmp_path / "home/.config/pip/pip.conf",
        "site": prefix / "pip.conf",
    }
    for name, file in files.items():
        write(file, index(name))
        assert url(tmp_path) == f"https://{name}.example.com/simple"
    named = write(tmp_path / "named.conf", index("named"))
    assert url(tmp_path, PIP_CONFIG_FILE=str(named)) == "https://named.example.com/simple"


def test_of_several_machine_wide_folders_the_last_wins(tmp_path: Path) -> None:
    write(tmp_path / "a/pip/pip.conf", index("a"))
    write(tmp_path / "b/pip/pip.conf", index("b"))
    dirs = f"{tmp_path}/a:{tmp_path}/b"
    assert url(tmp_path, XDG_CONFIG_DIRS=dirs) == "https://b.example.com/simple"


def test_xdg_config_home_moves_the_users_file(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere/pip/pip.conf", index("moved"))
    moved = str(tmp_path / "elsewhere")
    assert url(tmp_path, XDG_CONFIG_HOME=moved) == "https://moved.example.com/simple"


def test_a_named_file_stands_in_for_the_users(tmp_path: Path) -> None:
    write(tmp_path / "home/.config/pip/pip.conf", "[global]\nfind-links = /user\n")
    named = write(tmp_path / "named.conf", index("named"))
    assert read(tmp_path, PIP_CONFIG_FILE=str(named)).find_links == ()
    assert read(tmp_path, PIP_CONFIG_FILE=str(tmp_path / "gone")).find_links == ("/user",)


def test_a_named_file_of_nothing_hides_all_files(tmp_path: Path) -> None:
    write(tmp_path / "home/.config/pip/pip.conf", index("user"))
    assert url(tmp_path, PIP_CONFIG_FILE=os.devnull) == ""


def test_variables_win_over_files(tmp_path: Path) -> None:
    write(tmp_path / "home/.pip/pip.conf", index("file"))
    assert url(tmp_path, PIP_INDEX_URL="https://env.example.com/") == "https://env.example.com/"


def test_install_wins_over_global_wherever_it_stands(tmp_path: Path) -> None:
    write(tmp_path / "xdg/pip/pip.conf", index("install", "install"))
    write(tmp_path / "home/.pip/pip.conf", index("global"))
    assert url(tmp_path) == "https://install.example.com/simple"


def test_other_sections_do_not_count(tmp_path: Path) -> None:
    write(tmp_path / "home/.pip/pip.conf", index("freeze", "freeze"))
    assert url(tmp_path) == ""


def test_values_of_several_lines_are_taken_apart(tmp_path: Path) -> None:
    text = (
        "[global]\nextra-index-url =\n    https://a.example.com/\n    https://b.example.com/\n"
        "find-links = /one\n  /two\n"
    )
    write(tmp_path / "home/.pip/pip.conf", text)
    found = read(tmp_path)
    assert found.extra_index_urls == ("https://a.example.com/", "https://b.example.com/")
    assert found.find_links == ("/one", "/two")


def test_variables_hold_several_values(tmp_path: Path) -> None:
    found = read(tmp_path, PIP_FIND_LINKS="/one /two", PIP_EXTRA_INDEX_URL="https://a.example.com")
    assert found.find_links == ("/one", "/two")
    assert found.extra_index_urls == ("https://a.example.com",)


@pytest.mark.parametrize("key", ["find_links", "find-links", "--find-links", "Find-Links"])
def test_keys_are_taken_as_pip_takes_them(tmp_path: Path, key: str) -> None:
    write(tmp_path / "home/.pip/pip.conf", f"[global]\n{key} = /x\n")
    assert read(tmp_path).find_links == ("/x",)


@pytest.mark.parametrize("text", ["no section\n", "[global\n", "[global]\nx\n\xff"])
def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path, text: str) -> None:
    file = write(tmp_path / "home/.pip/pip.conf", "")
    file.write_bytes(text.encode("latin-1"))
    write(tmp_path / "xdg/pip/pip.conf", index("xdg"))
    assert url(tmp_path) == "https://xdg.example.com/simple"


def test_percent_signs_in_a_url_are_kept(tmp_path: Path) -> None:
    text = "[global]\nindex-url = https://u:p%40ss@x.example.com/\n"
    write(tmp_path / "home/.pip/pip.conf", text)
    assert url(tmp_path) == "https://u:p%40ss@x.example.com/"


def test_the_workspaces_index_comes_first_and_its_folders_are_added(tmp_path: Path) -> None:
    write(tmp_path / "home/.pip/pip.conf", index("pip") + "find-links = /pip /both\n")
    settings = PythonSettings(index_url="https://own.example.com/", find_links=("/own", "/both"))
    found = read(tmp_path, settings)
    assert found.index_url == "https://own.example.com/"
    assert found.find_links == ("/own", "/both", "/pip")


@pytest.mark.parametrize(("value", "off"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_indexes_can_be_turned_off(tmp_path: Path, value: str, *, off: bool) -> None:
    assert read(tmp_path, PIP_NO_INDEX=value).no_index is off
    settings = PythonSettings(index_url="https://own.example.com/")
    assert read(tmp_path, settings, PIP_NO_INDEX=value).no_index is False


def test_certificates_are_taken_from_pip(tmp_path: Path) -> None:
    assert read(tmp_path, PIP_CERT="/ca.pem").certificates == "/ca.pem"
