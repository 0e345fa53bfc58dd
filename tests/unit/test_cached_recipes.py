"""A recipe that did not move is not parsed again, and says what it said."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import time
import tomllib
from contextlib import closing
from pathlib import Path
from unittest.mock import Mock, patch

import pytest

from orchestrator.errors import WorkspaceError
from orchestrator.model import Recipe
from orchestrator.recipe import read_recipe
from orchestrator.remembered.memory import Memory
from orchestrator.remembered.parsed import CachedToml
from orchestrator.remembered.recipes import CachedRecipes

EVERYTHING = f"""\
from = "python-base"
summary = "all there is"
deprecated = "use another"
[system]
packages = ["curl", "git=1.0"]
optional-libraries = ["libx.so"]
[python]
requirements = ["more.txt"]
bytecode = false
prefer = {{ "bin/x" = "y" }}
[[files]]
from = "src"
to = "/app"
mode = "0640"
owner = "1:1"
exclude = ["*.log"]
[[fetch]]
url = "https://x/y"
sha256 = "{"a" * 64}"
to = "/y"
[config]
user = "1000"
workdir = "/app"
env = {{ A = "b" }}
labels = {{ c = "d" }}
expose = ["80"]
volumes = ["/data"]
entrypoint = ["a", "b"]
command = []
stop-signal = "SIGINT"
[healthcheck]
command = ["true"]
interval = "3s"
[gates]
max-size = "2 MB"
max-growth = "10%"
start-within = "5s"
read-only = false
severity = "high"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a recipe with all that one can say; its times count as settled at once."""
    real = time.time_ns
    later = "orchestrator.remembered.stamps.time.time_ns"
    monkeypatch.setattr(later, lambda: real() + 3600 * 10**9)
    (tmp_path / ".orch").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "a/more.txt").touch()
    (tmp_path / "a/image.toml").write_text(EVERYTHING)
    return tmp_path / "a/image.toml"


def read(file: Path) -> Recipe:
    """Read the recipe as a run does that ends then."""
    root = file.parent.parent
    memory = Memory(root / ".orch/files.db")
    recipe = CachedRecipes(memory, root).read(file)
    memory.save()
    return recipe


def is_parsed(file: Path) -> bool:
    """Read the recipe; tell whether that took parsing its file."""
    parse = Mock(wraps=read_recipe)
    with patch("orchestrator.remembered.recipes.read_recipe", parse):
        assert read(file) == read_recipe(file)
    return parse.called


def test_what_is_remembered_is_what_was_read_in_each_field(file: Path) -> None:
    recipe = read(file)
    assert not is_parsed(file)
    again = read(file)
    bare = Recipe("python-base")
    for item in dataclasses.fields(Recipe):
        assert getattr(again, item.name) == getattr(recipe, item.name)
        assert type(getattr(again, item.name)) is type(getattr(recipe, item.name))
        assert item.name == "parent" or getattr(again, item.name) != getattr(bare, item.name)


def test_a_recipe_that_says_nothing_is_remembered(file: Path) -> None:
    file.write_text('from = "a"\n')
    assert is_parsed(file)
    assert not is_parsed(file)


def test_a_recipe_that_moved_is_parsed(file: Path) -> None:
    read(file)
    before = file.stat().st_ctime_ns
    while file.stat().st_ctime_ns == before:
        os.utime(file)
    assert is_parsed(file)
    assert not is_parsed(file)


def test_a_recipe_that_may_change_unseen_is_parsed_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_ns = file.stat().st_mtime_ns
    monkeypatch.setattr("orchestrator.remembered.stamps.time.time_ns", lambda: written_ns + 10**9)
    assert is_parsed(file)
    assert is_parsed(file)


def test_a_requirements_file_that_came_or_went_is_seen(file: Path) -> None:
    file.write_text('from = "a"\n')
    assert read(file).requirements == ()
    (file.parent / "requirements.txt").touch()
    assert read(file).requirements == ("requirements.txt",)
    assert not is_parsed(file)
    (file.parent / "requirements.txt").unlink()
    assert read(file).requirements == ()


def test_a_named_requirements_file_that_went_is_an_error(file: Path) -> None:
    read(file)
    (file.parent / "more.txt").unlink()
    with pytest.raises(WorkspaceError, match=r"more\.txt does not exist"):
        read(file)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"parent": 1}', '{"healthcheck": 3}'])
def test_a_damaged_row_is_parsed_anew(file: Path, damage: str) -> None:
    read(file)
    with closing(sqlite3.connect(file.parent.parent / ".orch/files.db")) as database, database:
        database.execute("UPDATE found SET value = ?", (damage,))
    assert is_parsed(file)
    assert not is_parsed(file)


def test_what_another_version_of_orch_read_is_not_used(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(file)
    monkeypatch.setattr("orchestrator.remembered.recipes._WRITTEN_BY", "99")
    assert is_parsed(file)


def test_a_recipe_that_is_wrong_is_an_error_each_time(file: Path) -> None:
    file.write_text('from = "a"\nsumary = "x"\n')
    for _ in range(2):
        with pytest.raises(WorkspaceError, match="unknown key 'sumary'"):
            read(file)


@pytest.mark.parametrize("damage", [None, "{", "[1]"])
def test_a_long_text_is_parsed_once(
    tmp_path: Path, damage: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loads(text: str) -> dict[str, object]:
        memory = Memory(tmp_path / "files.db")
        found = CachedToml(memory, "x").loads(text)
        memory.save()
        return found

    for text in ("a = 1\n", "a = 2\n", "a = 1979-05-27\n"):
        assert loads(text) == tomllib.loads(text)
    assert loads("a = 2\n") == {"a": 2}
    if damage is not None:
        with closing(sqlite3.connect(tmp_path / "files.db")) as database, database:
            database.execute("UPDATE found SET value = ?", (damage,))
        assert loads("a = 2\n") == {"a": 2}
    monkeypatch.setattr("orchestrator.remembered.parsed.tomllib.loads", pytest.fail)
    assert loads("a = 2\n") == {"a": 2}
