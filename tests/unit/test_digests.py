"""The file-digest cache is right, or it is not used."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from orchestrator.errors import WorkspaceError
from orchestrator.remembered.digests import CachedDigests
from orchestrator.remembered.memory import Kind, Memory
from orchestrator.remembered.stamps import Stamp

LONG_AGO_NS = time.time_ns() - 3600 * 10**9


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an hour pass after every look, so that files count as settled."""
    real = time.time_ns
    monkeypatch.setattr(
        "orchestrator.remembered.stamps.time.time_ns", lambda: real() + 3600 * 10**9
    )


def digest_of(cache: CachedDigests, file: Path) -> str:
    return cache.sha256_of(str(file), file.stat())


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def memory_of(tmp_path: Path) -> Memory:
    if not (tmp_path / "state").exists():
        (tmp_path / "state").mkdir()
    return Memory(tmp_path / "state" / "files.db")


def opened(tmp_path: Path) -> CachedDigests:
    return CachedDigests(memory_of(tmp_path), tmp_path)


def remembered(tmp_path: Path, file: Path) -> None:
    memory = memory_of(tmp_path)
    digest_of(CachedDigests(memory, tmp_path), file)
    memory.save()


def is_known(tmp_path: Path, file: Path) -> bool:
    stamp = Stamp.of(file.stat()).text
    return memory_of(tmp_path).recall(Kind.FILE, file.name, stamp) is not None


@pytest.mark.usefixtures("settled")
def test_a_settled_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    remembered(tmp_path, file)
    cache = opened(tmp_path)
    monkeypatch.setattr(
        "orchestrator.remembered.digests._read_digest", lambda path: pytest.fail("read")
    )
    assert digest_of(cache, file) == sha256("one")


def test_an_edit_within_a_clock_tick_and_of_the_same_size_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    remembered(tmp_path, file)
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    file.write_text("two")
    os.utime(file, ns=times)
    assert digest_of(opened(tmp_path), file) == sha256("two")


@pytest.mark.usefixtures("settled")
def test_an_edit_with_the_old_time_put_back_is_seen_by_its_ctime(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    os.utime(file, ns=(LONG_AGO_NS, LONG_AGO_NS))
    remembered(tmp_path, file)
    before = file.stat().st_ctime_ns
    while file.stat().st_ctime_ns == before:
        file.write_text("two")
        os.utime(file, ns=(LONG_AGO_NS, LONG_AGO_NS))
    assert digest_of(opened(tmp_path), file) == sha256("two")


@pytest.mark.usefixtures("settled")
def test_another_file_put_in_its_place_is_seen(tmp_path: Path) -> None:
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_text("one")
    other.write_text("two")
    remembered(tmp_path, file)
    other.replace(file)
    assert digest_of(opened(tmp_path), file) == sha256("two")


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("damage", [b"", b"SQLite format 3\0 and no more", b"junk" * 100])
def test_a_cut_or_damaged_cache_is_begun_anew(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    remembered(tmp_path, file)
    (tmp_path / "state/files.db").write_bytes(damage)
    assert digest_of(opened(tmp_path), file) == sha256("one")
    remembered(tmp_path, file)
    assert is_known(tmp_path, file)


@pytest.mark.usefixtures("settled")
def test_two_runs_at_once_keep_what_both_found(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("one")
    second.write_text("two")
    one, two = memory_of(tmp_path), memory_of(tmp_path)
    digest_of(CachedDigests(one, tmp_path), first)
    digest_of(CachedDigests(two, tmp_path), second)
    one.save()
    two.save()
    assert is_known(tmp_path, first)
    assert is_known(tmp_path, second)


def test_a_file_that_changes_while_it_is_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    reads = iter(range(10))

    def moving(path: str) -> tuple[str, Stamp, Stamp]:
        return "x", Stamp(str(next(reads)), 0), Stamp("99", 0)

    monkeypatch.setattr("orchestrator.remembered.digests._read_digest", moving)
    with pytest.raises(WorkspaceError, match="changes while it is being read"):
        digest_of(opened(tmp_path), file)


@pytest.mark.usefixtures("settled")
def test_a_cache_that_cannot_be_written_is_left(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    (tmp_path / "state").write_text("a file where the folder belongs")
    remembered(tmp_path, file)
    assert (tmp_path / "state").read_text().startswith("a file")


def test_a_file_just_written_is_not_remembered(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    remembered(tmp_path, file)
    assert not is_known(tmp_path, file)


@pytest.mark.usefixtures("settled")
def test_names_that_are_no_utf8_are_remembered(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"caf\xe9")
    file.write_text("one")
    remembered(tmp_path, file)
    assert is_known(tmp_path, file)
