"""The history: what is remembered of runs, found again, let go of, and never in anybody's way."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from orchestrator.app.building import BuildRun, build
from orchestrator.app.opened import open_workspace
from orchestrator.app.planning import BuildOptions
from orchestrator.app.recording import past_runs, remember_build
from orchestrator.cli import orch as cli
from orchestrator.database import Database
from orchestrator.errors import OrchError, WorkspaceError
from orchestrator.fingerprint import Fingerprint
from orchestrator.head import head_commit
from orchestrator.history import History, Kind, PastImage, PastRun, Wanted
from orchestrator.history import Result as Came
from orchestrator.lockfile import ImageLock
from orchestrator.model import HistorySettings
from orchestrator.settings import read_settings
from orchestrator.state import State
from tests.fakes import FakeObserver
from tests.helpers import AMD64, ROOT, wheel_of, write_lock, write_tree, write_workspace

KEEP = HistorySettings()
START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
COPY = "[[files]]\nfrom = 'src'\nto = '/app'\n"


def run_of(number: int, *names: str, **changes: Any) -> PastRun:
    """Return the run of hour `number`, of images that were built."""
    images = tuple(
        PastImage(name, AMD64.key, "built", "forced", "f" * 64, "sha256:ab", 1, 2, 0.5, 1)
        for name in names
    )
    run = PastRun(f"id-{number}", Kind.BUILD, START + timedelta(hours=number), 1.5, Came.DONE)
    return replace(run, images=images, **changes)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / ".orch/state.db")


def found(history: History, **wanted: Any) -> list[str]:
    return [run.run for run in history.find(Wanted(**wanted))]


def test_what_is_remembered_is_found_again_the_last_first(history: History) -> None:
    facts = {"commit": "c0ffee", "hit_rate": 0.25, "saved_s": 2.5, "saved_bytes": 7}
    runs = [run_of(1, "web", "api", **facts), run_of(2, kind=Kind.PUSH, result=Came.FAILED)]
    for run in runs:
        history.add(run, KEEP)
    assert list(history.find(Wanted())) == runs[::-1]


def test_without_a_database_nothing_is_found_and_none_is_made(
    history: History, tmp_path: Path
) -> None:
    assert found(history) == []
    assert not (tmp_path / ".orch").exists()


def test_runs_are_found_by_image_kind_result_and_time(history: History) -> None:
    history.add(run_of(1, "web", "api"), KEEP)
    history.add(run_of(2, "web", kind=Kind.PUSH), KEEP)
    history.add(run_of(3, "web-2", result=Came.FAILED), KEEP)
    assert found(history, image="web") == ["id-2", "id-1"], "and not web-2"
    assert found(history, kinds=frozenset({Kind.BUILD})) == ["id-3", "id-1"]
    failed = frozenset({Came.FAILED})
    assert found(history, results=failed) == ["id-3"]
    assert found(history, since=START + timedelta(hours=2)) == ["id-3", "id-2"]
    assert found(history, until=START + timedelta(hours=2)) == ["id-1"]
    assert found(history, limit=1) == ["id-3"]
    assert found(history, image="web", results=failed) == []


def test_times_of_other_zones_are_compared_as_times(history: History) -> None:
    history.add(run_of(1), KEEP)
    elsewhere = datetime.fromisoformat("2026-01-01T20:00:00+09:00")
    assert found(history, since=elsewhere) == ["id-1"]
    assert found(history, until=elsewhere) == []


def test_no_more_runs_are_kept_than_settings_say(history: History) -> None:
    for number in range(5):
        history.add(run_of(number), HistorySettings(runs=2))
    assert found(history) == ["id-4", "id-3"]


def test_runs_are_kept_no_longer_than_settings_say(history: History) -> None:
    for number in (0, 30, 50):
        history.add(run_of(number), HistorySettings(days=1))
    assert found(history) == ["id-50", "id-30"]


def test_zero_keeps_all(history: History) -> None:
    for number in (0, 24 * 1000):
        history.add(run_of(number), HistorySettings(runs=0, days=0))
    assert len(found(history)) == 2


def test_runs_are_let_go_of_by_index(history: History, tmp_path: Path) -> None:
    history.add(run_of(1), KEEP)
    database = Database(tmp_path / ".orch/state.db")
    for condition in ("id <= 5", "started < 'x'"):
        (row,) = database.select(f"EXPLAIN QUERY PLAN DELETE FROM runs WHERE {condition}")
        assert row[-1].startswith("SEARCH"), row


def test_a_damaged_history_is_an_error_with_a_hint(history: History, tmp_path: Path) -> None:
    write_tree(tmp_path, {".orch/state.db": "no database" * 100})
    with pytest.raises(OrchError, match="cannot be read") as raised:
        found(history)
    assert raised.value.hint


@pytest.mark.parametrize("text", ["runs = -1", "days = 1000000", "runs = 'many'", "months = 3"])
def test_settings_of_the_history_that_make_no_sense_are_refused(tmp_path: Path, text: str) -> None:
    write_tree(tmp_path, {"orch.toml": f"[history]\n{text}\n"})
    with pytest.raises(WorkspaceError, match="history"):
        read_settings(tmp_path)


@pytest.fixture
def ws(tmp_path: Path, orch_cache: Path) -> Path:
    """Write a workspace of three images that need no download."""
    recipes = {"base/a": f'from = "{ROOT}"\n{COPY}', "services/b": f'from = "a"\n{COPY}'}
    root = write_workspace(tmp_path / "ws", recipes | {"base/c": f'from = "{ROOT}"\n'})
    write_tree(root, {"base/a/src/x.txt": "x" * 50_000, "services/b/src/y.txt": "y"})
    write_lock(root)
    return root


def built(root: Path, *, offline: bool = False) -> BuildRun:
    run = build(open_workspace(root), BuildOptions(AMD64, offline=offline), FakeObserver())
    run.notes += remember_build(run)
    return run


def last(root: Path) -> PastRun:
    return next(past_runs(root / "services", Wanted()))


def test_a_build_is_remembered_with_what_came_of_each_image(ws: Path) -> None:
    run = built(ws)
    past = last(ws)
    assert (past.run, past.kind, past.result) == (run.run, Kind.BUILD, Came.DONE)
    assert past.started == run.started
    assert past.hit_rate == 0.0
    for image in past.images:
        outcome = run.outcomes[image.name]
        assert outcome.made is not None
        assert (image.status, image.digest) == ("built", outcome.digest)
        assert (image.size_bytes, image.unpacked_bytes) == (
            outcome.made.size_bytes,
            outcome.made.unpacked_bytes,
        )
        assert image.fingerprint == outcome.step.fingerprint.digest
        assert image.because == outcome.because
        assert image.attempts == 1


def test_a_build_with_nothing_to_do_says_what_that_saved(ws: Path) -> None:
    first = built(ws).outcomes
    built(ws)
    past = last(ws)
    assert (past.result, past.hit_rate) == (Came.UNCHANGED, 1.0)
    sizes = {name: outcome.made.size_bytes for name, outcome in first.items() if outcome.made}
    assert {image.name: image.size_bytes for image in past.images} == sizes
    assert past.saved_bytes == sizes["b"] + sizes["c"], "what a holds is in b, and counts once"
    took = sum(outcome.duration_s for outcome in first.values())
    assert past.saved_s == pytest.approx(took, abs=0.002)


def test_what_was_never_measured_was_not_saved(ws: Path) -> None:
    built(ws)
    State(ws / ".orch/state.db").write("a", AMD64.key, Fingerprint.of([]), "sha256:x", 0.0)
    with closing(sqlite3.connect(ws / ".orch/state.db")) as database, database:
        database.execute("UPDATE builds SET size_bytes = 0 WHERE image = 'a'")
    (ws / "services/b/src/y.txt").write_text("z")
    built(ws)
    run = last(ws)
    assert {image.name: image.status for image in run.images}["c"] == "reused"
    (size,) = [image.size_bytes for image in run.images if image.name == "c"]
    assert run.saved_bytes == size


def test_a_build_that_failed_is_remembered(ws: Path) -> None:
    write_lock(ws, {"a": ImageLock(wheels=(wheel_of("nowhere"),))})
    assert not built(ws, offline=True).ok
    past = last(ws)
    assert past.result is Came.FAILED
    assert {image.name: image.status for image in past.images} == {
        "a": "failed",
        "b": "skipped",
        "c": "built",
    }


def test_a_build_that_is_interrupted_is_remembered(
    ws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestrator.app.building._build_wheels", interrupt)
    built(ws)
    past = last(ws)
    assert past.result is Came.INTERRUPTED
    assert {image.status for image in past.images} == {"cancelled"}


def test_a_history_that_is_locked_fails_no_build_and_says_so(
    ws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(ws)
    monkeypatch.setattr("orchestrator.history._WAIT_S", 0.0)
    with closing(sqlite3.connect(ws / ".orch/state.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        run = built(ws)
    assert run.ok
    (note,) = run.notes
    assert "the build is not in the history" in note
    assert "locked" in note
    assert len(list(past_runs(ws, Wanted()))) == 1


def commit(root: Path, *flags: str) -> str:
    git(root, "-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "x", *flags)
    return git(root, "rev-parse", "HEAD")


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_commit_is_read_without_git(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q")
    assert head_commit(root) == "", "there is none yet"
    first = commit(root, "--allow-empty")
    (root / "deep/er").mkdir(parents=True)
    assert head_commit(root / "deep/er") == first, "of a branch, from below"
    git(root, "pack-refs", "--all")
    assert head_commit(root) == first, "of a packed branch"
    git(root, "worktree", "add", "-q", str(tmp_path / "tree"), "-b", "other")
    second = commit(tmp_path / "tree", "--allow-empty")
    assert head_commit(tmp_path / "tree") == second, "of another work tree"
    git(root, "checkout", "-q", second)
    assert head_commit(root) == second, "of no branch"
    assert head_commit(root) == git(root, "rev-parse", "HEAD")


def test_without_a_repository_there_is_no_commit(tmp_path: Path) -> None:
    assert head_commit(tmp_path) == ""
    write_tree(tmp_path, {".git": "gitdir: nowhere\n"})
    assert head_commit(tmp_path) == ""


@pytest.fixture
def orch(ws: Path) -> Callable[..., Result]:
    """Return `orch -C WORKSPACE ...` as a function, in a workspace that was built twice."""
    built(ws)
    built(ws)

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(cli, ["-C", str(ws), *words], standalone_mode=False)

    return invoke


def test_a_person_sees_a_line_a_run(orch: Callable[..., Result]) -> None:
    idle, busy = orch("history").stdout.splitlines()
    assert "build  unchanged" in idle
    assert "3 reused  100% reused  saved" in idle
    assert "build  done" in busy
    assert "3 built  0% reused" in busy
    (line, image) = orch("history", "a", "--result", "done").stdout.splitlines()
    assert line == busy
    assert image.split()[:2] == ["built", "a"]
    assert "never-built" in image


def test_a_program_reads_runs_as_a_document_or_a_line_each(
    orch: Callable[..., Result], tmp_path: Path
) -> None:
    document = json.loads(orch("history", "--format", "json").stdout)
    assert document["schema"] == "orch.history/1"
    assert orch("history", "--export", str(tmp_path / "runs")).stdout == ""
    lines = (tmp_path / "runs").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"schema": "orch.run/1", **run} for run in document["runs"]
    ]
    assert orch("history", "--export", "-", "--limit", "1").stdout.splitlines() == lines[:1]


def test_times_are_told_as_moments_or_as_long_ago(orch: Callable[..., Result]) -> None:
    assert len(orch("history", "--since", "1h").stdout.splitlines()) == 2
    assert orch("history", "--until", "1h").stdout == ""
    assert orch("history", "--since", "2100-01-01").stdout == ""
    assert len(orch("history", "--until", "2100-01-01T10:00+09:00").stdout.splitlines()) == 2
    for nonsense in ("yesterday", "7y", "999999w"):
        assert isinstance(orch("history", "--since", nonsense).exception, click.BadParameter)


def test_an_image_that_nobody_remembers_has_no_history(orch: Callable[..., Result]) -> None:
    result = orch("history", "zzz")
    assert (result.stdout, result.return_value) == ("", 0)
    assert "no such run" in result.stderr
