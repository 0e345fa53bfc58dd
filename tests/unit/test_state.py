"""Records: written and read back, versions, damage, and two processes at once."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.database import SCHEMA_VERSION, STEPS, Database
from orchestrator.errors import OrchError
from orchestrator.fingerprint import Fingerprint, Input
from orchestrator.plan import Recorded, compare_inputs
from orchestrator.state import Cost, State, Verification

PRINT = Fingerprint.of([Input("file", "app/ä", "1"), Input("mode", "app/ä", "644")])
OTHER = Fingerprint.of([Input("file", "app/x", "2")])
PLATFORM = "linux/amd64"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".orch" / "state.db"


def test_what_is_written_is_read_back(file: Path) -> None:
    State(file).write("web", PLATFORM, PRINT, "sha256:ab", 1.5)
    assert State(file).read(PLATFORM) == {"web": Recorded(PRINT, "sha256:ab")}
    assert State(file).durations(PLATFORM) == {"web": 1.5}


def test_a_later_build_takes_the_place_of_an_earlier(file: Path) -> None:
    State(file).write("web", PLATFORM, PRINT, "sha256:ab", 1.5)
    State(file).write("web", PLATFORM, OTHER, "sha256:cd", 2.5)
    assert State(file).read(PLATFORM) == {"web": Recorded(OTHER, "sha256:cd")}


def test_platforms_are_kept_apart(file: Path) -> None:
    State(file).write("web", PLATFORM, PRINT, "sha256:ab", 1.5)
    assert State(file).read("linux/arm64") == {}


def test_reading_without_a_database_makes_none(file: Path) -> None:
    assert State(file).read(PLATFORM) == {}
    assert State(file).durations(PLATFORM) == {}
    assert not file.parent.exists()


def begun_anew(file: Path, why: str) -> None:
    """Check that a database reads as empty, says why, and is begun anew by the next write."""
    state = State(file)
    assert state.read(PLATFORM) == {}
    assert why in state.problem
    assert state.durations(PLATFORM) == {}
    state.write("bot", PLATFORM, PRINT, "sha256:cd", 2.5)
    assert State(file).read(PLATFORM) == {"bot": Recorded(PRINT, "sha256:cd")}


def test_a_newer_schema_is_put_aside_aloud(file: Path) -> None:
    State(file).write("web", PLATFORM, PRINT, "sha256:ab", 1.5)
    with closing(sqlite3.connect(file)) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = file.read_bytes()
    begun_anew(file, "a newer orch wrote the records")
    assert file.with_suffix(".unusable").read_bytes() == before


@pytest.mark.parametrize("keep", [10, 1000, 5000])
def test_a_database_that_was_cut_short_is_begun_anew(file: Path, keep: int) -> None:
    many = Fingerprint.of([Input("file", f"app/{number}", "1") for number in range(1000)])
    State(file).write("web", PLATFORM, many, "sha256:ab", 1.5)
    file.write_bytes(file.read_bytes()[:keep])
    begun_anew(file, "the records cannot be read")


def test_inputs_are_read_back_sorted(file: Path) -> None:
    State(file).write("web", PLATFORM, PRINT, "sha256:ab", 1.5)
    assert list(State(file).read(PLATFORM)["web"].fingerprint.inputs) == list(PRINT.inputs)
    State(file).write("bot", PLATFORM, State(file).read(PLATFORM)["web"].fingerprint, "x", 1.5)
    assert list(State(file).read(PLATFORM)["bot"].fingerprint.inputs) == list(PRINT.inputs)


def test_inputs_of_a_record_that_another_build_replaced_are_not_those_of_the_new_one(
    file: Path,
) -> None:
    State(file).write("web", PLATFORM, PRINT, "sha256:ab", 1.5)
    before = State(file).read(PLATFORM)["web"].fingerprint
    State(file).write("web", PLATFORM, OTHER, "sha256:cd", 1.5)
    assert list(before.inputs) == []


def test_damaged_inputs_are_none(file: Path) -> None:
    State(file).write("web", PLATFORM, PRINT, "sha256:ab", 1.5)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE builds SET inputs = '[[1'")
    fingerprint = State(file).read(PLATFORM)["web"].fingerprint
    assert list(fingerprint.inputs) == []
    assert [str(reason) for reason in compare_inputs(fingerprint.inputs, PRINT.inputs)]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".orch").touch()
    with pytest.raises(OrchError, match=r"\.orch"):
        State(tmp_path / ".orch" / "state.db").write("web", PLATFORM, PRINT, "sha256:ab", 1.5)


def _write_many(file: Path, first: int) -> None:
    for number in range(first, first + 25):
        State(file).write(f"image-{number}", PLATFORM, PRINT, f"sha256:{number}", 0.1)


def test_two_processes_may_write_at_once(file: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write_many, args=(file, first)) for first in (0, 25)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert set(State(file).read(PLATFORM)) == {f"image-{number}" for number in range(50)}


def verification(digest: str, at: str, *, ok: bool = True, unpacked_bytes: int = 1) -> Verification:
    return Verification("web", PLATFORM, digest, at, ok, unpacked_bytes, {"user": "passed"})


def test_the_last_image_that_passed_is_remembered_but_not_one_that_failed(file: Path) -> None:
    assert State(file).last_passed("web", PLATFORM, "sha256:c") is None
    for row in (
        verification("sha256:a", "2026-01-01", unpacked_bytes=10),
        verification("sha256:b", "2026-01-02", unpacked_bytes=20),
        verification("sha256:big", "2026-01-03", ok=False),
    ):
        State(file).write_verification(row)
    assert State(file).last_passed("web", PLATFORM, "sha256:c") == ("sha256:b", 20)
    assert State(file).last_passed("api", PLATFORM, "sha256:c") is None


def test_an_image_is_compared_with_another_before_itself(file: Path) -> None:
    State(file).write_verification(verification("sha256:b", "2026-01-02"))
    assert State(file).last_passed("web", PLATFORM, "sha256:b") == ("sha256:b", 1)
    State(file).write_verification(verification("sha256:a", "2026-01-01"))
    assert State(file).last_passed("web", PLATFORM, "sha256:b") == ("sha256:a", 1)


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_records_of_earlier_schemas_are_kept_and_written_on(file: Path, version: int) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as database, database:
        for statement in (statement for step in STEPS[:version] for statement in step):
            database.execute(statement)
        row = ("web", PLATFORM, PRINT.digest, json.dumps(list(PRINT.inputs)), "sha256:ab", 1.5)
        database.execute("INSERT INTO builds VALUES (?, ?, ?, ?, ?, ?)", row)
        database.execute(f"PRAGMA user_version = {version}")
    assert State(file).read(PLATFORM) == {"web": Recorded(PRINT, "sha256:ab")}
    State(file).write_verification(verification("sha256:a", "2026-01-01"))
    State(file).write("bot", PLATFORM, PRINT, "sha256:cd", 2.5, 10, 20)
    assert State(file).costs(PLATFORM) == {"web": Cost(1.5), "bot": Cost(2.5, 10, 20)}


def test_records_of_an_earlier_schema_are_read_where_nothing_may_be_written(file: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as database, database:
        for statement in STEPS[0]:
            database.execute(statement)
        database.execute("PRAGMA user_version = 1")
        database.execute(
            "INSERT INTO builds VALUES ('web', ?, 'x', '[]', 'sha256:ab', 1)", (PLATFORM,)
        )
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")  # as good as a file system without writing
        assert set(Database(file, 0.0).select("SELECT image FROM builds")) == {("web",)}
