"""What is kept of wheels: named by whoever knows them, and let go in the right order."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from orchestrator.wheelhouse.kept import Kept, Origin, Store, choose_unwanted
from tests.wheels import make_sdist, make_wheel

DAY_S = 86_400.0
NOW_S = 100 * DAY_S


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "downloads", tmp_path / "built", tmp_path / "places.json")


def keep(store: Store, file: Path) -> str:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    store.path(digest).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, store.path(digest))
    return digest


def test_files_are_named_by_where_they_were_found_by_the_lock_and_by_themselves(
    tmp_path: Path, store: Store
) -> None:
    found = keep(store, make_sdist(tmp_path, "found", "1.0"))
    store.found.write_text(json.dumps({found: "https://example.com/x/found-1.0.tar.gz#y"}))
    locked = keep(store, make_wheel(tmp_path, "locked"))
    tag = "py2.py3-none-any"
    keep(store, make_wheel(tmp_path, "nobodys", tag="py3-none-any"))
    kept = store.kept({locked: f"locked-1.0-{tag}.whl"})
    assert [(item.file, item.is_locked) for item in kept] == [
        ("found-1.0.tar.gz", False),
        (f"locked-1.0-{tag}.whl", True),
        ("nobodys-1.0-py3-none-any.whl", False),
    ]
    assert {item.origin for item in kept} == {Origin.FETCHED}


def test_debian_packages_and_halves_of_downloads_are_no_wheels(
    tmp_path: Path, store: Store
) -> None:
    (tmp_path / "deb").write_bytes(b"!<arch>\n")
    digest = keep(store, tmp_path / "deb")
    store.path(digest).with_suffix(".part").write_bytes(b"PK\x03\x04")
    assert store.kept({}) == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}'])
def test_a_damaged_memory_names_nothing(tmp_path: Path, store: Store, text: str) -> None:
    store.found.write_text(text)
    keep(store, make_wheel(tmp_path, "own"))
    assert [item.name for item in store.kept({})] == ["own"]


def test_what_goes_is_gone_and_damage_is_found(tmp_path: Path, store: Store) -> None:
    digest = keep(store, make_wheel(tmp_path, "one"))
    kept = store.kept({})
    assert store.damaged(kept) == []
    store.path(digest).write_bytes(b"x")
    assert store.damaged(kept) == kept
    store.remove(kept)
    assert not store.path(digest).exists()
    store.remove(kept)


def item(name: str, days_old: float, size_bytes: int = 100, *, locked: bool = False) -> Kept:
    used_s = NOW_S - days_old * DAY_S
    return Kept(name, "1.0", name, name, size_bytes, Origin.FETCHED, used_s, locked)


KEPT = [item("new", 1), item("old", 40), item("older", 50), item("locked", 90, locked=True)]


def chosen(**limits: float | bool) -> list[str]:
    return [kept.name for kept in choose_unwanted(KEPT, NOW_S, **limits)]  # type: ignore[arg-type]


def test_nothing_goes_unless_it_is_asked_for() -> None:
    assert chosen() == []


def test_what_was_not_used_for_long_goes_and_what_the_lock_reaches_stays() -> None:
    assert chosen(older_than_s=30 * DAY_S) == ["older", "old"]
    assert chosen(older_than_s=30 * DAY_S, even_locked=True) == ["locked", "older", "old"]


def test_the_oldest_go_until_the_rest_is_small_enough() -> None:
    assert chosen(max_bytes=400) == []
    assert chosen(max_bytes=399) == ["older"]
    assert chosen(max_bytes=0) == ["older", "old", "new"]
    assert chosen(max_bytes=300, older_than_s=30 * DAY_S) == ["older", "old"]


def test_what_no_lock_reaches_goes_when_it_is_asked_for() -> None:
    assert chosen(unlocked=True) == ["older", "old", "new"]
    assert chosen(unlocked=True, even_locked=True) == ["older", "old", "new"]
