"""What is remembered is given for equal stamps, from sound files, and to one version of orch."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest

from orchestrator.remembered.memory import Kind, Memory

KINDS = tuple(Kind)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / ".orch").mkdir()
    return tmp_path / ".orch" / "files.db"


def remember(file: Path, kind: Kind, value: str, stamp: str = "stamp") -> None:
    memory = Memory(file)
    memory.remember(kind, "a", stamp, value)
    memory.save()


@pytest.mark.parametrize("kind", KINDS)
def test_a_finding_is_given_for_an_equal_stamp_only(file: Path, kind: Kind) -> None:
    remember(file, kind, "one")
    assert Memory(file).recall(kind, "a", "stamp") == "one"
    assert Memory(file).recall(kind, "a", "stamp2") is None
    assert Memory(file).recall(kind, "b", "stamp") is None


def test_kinds_are_kept_apart(file: Path) -> None:
    for kind in KINDS:
        remember(file, kind, kind.value)
    assert [Memory(file).recall(kind, "a", "stamp") for kind in KINDS] == [k.value for k in KINDS]


def test_a_later_finding_takes_the_place_of_an_earlier(file: Path) -> None:
    remember(file, Kind.RECIPE, "one")
    remember(file, Kind.RECIPE, "two", "later")
    assert Memory(file).recall(Kind.RECIPE, "a", "stamp") is None
    assert Memory(file).recall(Kind.RECIPE, "a", "later") == "two"


def test_what_is_foreseen_is_all_of_a_kind(file: Path) -> None:
    assert Memory(file).foresee(Kind.RECIPE) == {}
    remember(file, Kind.RECIPE, "one")
    remember(file, Kind.FINGERPRINT, "two")
    memory = Memory(file)
    assert memory.foresee(Kind.RECIPE) == {b"a": ("stamp", "one")}
    assert memory.recall(Kind.RECIPE, "a", "stamp") == "one"


def test_of_a_damaged_file_nothing_is_foreseen_and_it_is_begun_anew(file: Path) -> None:
    file.write_bytes(b"damaged " * 1000)
    memory = Memory(file)
    assert memory.foresee(Kind.RECIPE) == {}
    assert memory.recall(Kind.RECIPE, "a", "stamp") is None
    memory.remember(Kind.RECIPE, "a", "stamp", "one")
    memory.save()
    assert Memory(file).recall(Kind.RECIPE, "a", "stamp") == "one"


def test_asking_makes_no_file(file: Path) -> None:
    memory = Memory(file)
    assert memory.recall(Kind.FILE, "a", "stamp") is None
    memory.save()
    assert not file.exists()


def test_no_folder_is_made_and_what_was_found_waits_for_it(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "later" / "files.db")
    memory.remember(Kind.RECIPE, "a", "stamp", "one")
    memory.save()
    assert not (tmp_path / "later").exists()
    (tmp_path / "later").mkdir()
    memory.save()
    assert memory.recall(Kind.RECIPE, "a", "stamp") == "one"


def test_recalling_opens_the_file_for_reading_only(file: Path) -> None:
    remember(file, Kind.RECIPE, "one")
    with patch("orchestrator.remembered.memory.sqlite3.connect", wraps=sqlite3.connect) as connect:
        assert Memory(file).recall(Kind.RECIPE, "a", "stamp") == "one"
    (call,) = connect.call_args_list
    assert call.args[0].endswith("?mode=ro")


def test_what_another_run_saved_meanwhile_is_seen_after_a_save(file: Path) -> None:
    memory = Memory(file)
    assert memory.recall(Kind.RECIPE, "a", "stamp") is None
    remember(file, Kind.RECIPE, "one")
    memory.save()
    assert memory.recall(Kind.RECIPE, "a", "stamp") == "one"


def test_a_file_in_use_for_reading_can_be_written_by_another_run(file: Path) -> None:
    remember(file, Kind.RECIPE, "one")
    reading = Memory(file)
    assert reading.recall(Kind.RECIPE, "a", "stamp") == "one"
    assert reading.recall(Kind.FILE, "a", "stamp") is None
    remember(file, Kind.FILE, "two")
    assert Memory(file).recall(Kind.FILE, "a", "stamp") == "two"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [0, 10, 1000, 5000])
def test_a_file_cut_short_is_begun_anew(file: Path, keep: int, kind: Kind) -> None:
    remember(file, kind, "one" * 10_000)
    file.write_bytes(file.read_bytes()[:keep])
    memory = Memory(file)
    assert memory.recall(kind, "a", "stamp") is None
    memory.remember(kind, "a", "stamp", "two")
    memory.save()
    assert Memory(file).recall(kind, "a", "stamp") == "two"


def test_what_another_version_wrote_is_not_used_and_goes(file: Path) -> None:
    remember(file, Kind.RECIPE, "one")
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA user_version = 1")
    memory = Memory(file)
    assert memory.recall(Kind.RECIPE, "a", "stamp") is None
    memory.remember(Kind.RECIPE, "b", "stamp", "two")
    memory.save()
    assert Memory(file).recall(Kind.RECIPE, "a", "stamp") is None
    assert Memory(file).recall(Kind.RECIPE, "b", "stamp") == "two"
