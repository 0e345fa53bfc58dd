"""Folders for the time of a piece of work: whose they are, where, and that none is left."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.errors import OrchError
from orchestrator.scratch import SCRATCH, find_abandoned, scratch_folder

_HOLDS = """
from orchestrator.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "file").write_text("x")
    print(folder, flush=True)
    input()
"""


@contextmanager
def another_run() -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """Begin a run that holds a folder, for as long as it is not killed."""
    command = [sys.executable, "-c", _HOLDS]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as run:  # type: ignore[call-overload]
        try:
            yield Path(run.stdout.readline().strip()), run
        finally:
            run.kill()


@pytest.fixture
def place(orch_cache: Path) -> Path:
    return orch_cache / SCRATCH


def test_a_folder_is_in_the_cache_and_its_user_s_alone_and_goes_with_what_is_in_it(
    place: Path,
) -> None:
    with scratch_folder() as one, scratch_folder() as other:
        (one / "file").write_text("x")
        assert {one.parent, other.parent} == {place}
        assert list(other.iterdir()) == []
        assert stat.S_IMODE(one.stat().st_mode) == 0o700
    assert list(place.iterdir()) == []


def test_what_a_killed_run_left_goes_when_another_needs_a_folder(place: Path) -> None:
    with another_run() as (left, run):
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert (left / "file").exists()
        assert find_abandoned(place.parent) == [left]
        with scratch_folder() as folder:
            assert list(place.iterdir()) == [folder]


def test_what_another_run_is_at_work_in_stays(place: Path) -> None:
    with another_run() as (held, _), scratch_folder() as folder:
        assert (held / "file").exists()
        assert find_abandoned(place.parent) == []
        assert set(place.iterdir()) == {held, folder}


def test_without_a_cache_that_can_be_written_the_system_has_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder can be in here")
    (tmp_path / "system").mkdir()
    monkeypatch.setenv("ORCH_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "system"))
    with scratch_folder() as folder:
        assert folder.parent == tmp_path / "system"
    assert list((tmp_path / "system").iterdir()) == []


def test_a_link_that_another_user_placed_is_not_followed(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.symlink_to(tmp_path)
    monkeypatch.setattr("orchestrator.links.os.getuid", lambda: place.lstat().st_uid + 1)
    monkeypatch.setattr("orchestrator.links._ROOT", -1)
    with pytest.raises(OrchError, match="is a link"), scratch_folder():
        pass


def test_an_error_in_the_work_is_raised_as_it_is_and_leaves_nothing(place: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"), scratch_folder():
        raise FileNotFoundError("gone")
    assert list(place.iterdir()) == []
