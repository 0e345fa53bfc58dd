"""Stamps that a second process takes: the same as this one's, or none."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest

from orchestrator.app.opened import open_workspace
from orchestrator.app.planning import BuildOptions, plan
from orchestrator.model import FileCopy, Image
from orchestrator.remembered import ahead
from orchestrator.remembered.ahead import StampsAhead
from orchestrator.remembered.memory import Memory
from orchestrator.remembered.stamps import CopiedStamp, CopiedStamps
from orchestrator.workspace import read_workspace
from tests.helpers import AMD64, ROOT, write_lock, write_tree, write_workspace

RECIPE = f'from = "{ROOT}"\n[[files]]\nfrom = "src"\nto = "/app"\n'
NAMES = [f"a{number}" for number in range(10)]
CLOCK = "orchestrator.remembered.stamps.time.time_ns"


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Image, ...]:
    """Write ten images that copy files, and read them once, with times that count as settled.

    So few are worth a process, whatever threads there are.
    """
    monkeypatch.setattr(ahead, "WORTH_A_PROCESS", 2)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    real = time.time_ns
    monkeypatch.setattr(CLOCK, lambda: real() + 3600 * 10**9)
    root = write_workspace(tmp_path, {f"base/{name}": RECIPE for name in NAMES})
    write_tree(root, {f"base/{name}/src/x": name for name in NAMES})
    write_lock(root)
    (root / ".orch").mkdir()
    opened = open_workspace(root)
    opened.memory.save()
    return tuple(opened.graph.images.values())


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the processes that are started."""
    numbers: list[int] = []
    fork = os.fork

    def note() -> int:
        numbers.append(fork())
        return numbers[-1]

    monkeypatch.setattr(os, "fork", note)
    return numbers


@pytest.fixture
def stamps(tmp_path: Path, images: tuple[Image, ...], started: list[int]) -> Iterator[StampsAhead]:
    found = begin(tmp_path)
    wait_for(started)
    yield found
    found.close()


def begin(root: Path) -> StampsAhead:
    return StampsAhead(root, Memory(root / ".orch/files.db"))


def wait_for(started: list[int]) -> None:
    """Wait until the process has ended; its number stays until `close`."""
    os.waitid(os.P_PID, started[-1], os.WEXITED | os.WNOWAIT)


def known(stamps: StampsAhead, images: tuple[Image, ...]) -> list[str]:
    return [image.name for image in images if stamps.of(image)]


def test_they_are_those_that_this_process_takes(
    tmp_path: Path, images: tuple[Image, ...], stamps: StampsAhead
) -> None:
    here = CopiedStamps(str(tmp_path))
    assert known(stamps, images) == NAMES
    taken = [here.of(str(image.path), image.recipe.files) for image in images]
    assert [stamps.of(image) for image in images] == taken


@pytest.mark.parametrize("hours", [-1, 1])
def test_they_say_whether_a_change_since_would_show(
    tmp_path: Path, images: tuple[Image, ...], started: list[int], hours: int
) -> None:
    now_ns = time.time_ns() + hours * 3600 * 10**9
    with (
        patch(CLOCK, lambda: now_ns),
        closing(begin(tmp_path)) as stamps,
    ):
        wait_for(started)
        found = [stamps.of(image) for image in images]
    assert [stamp and stamp.was_settled for stamp in found] == [hours > 0] * len(images)


def test_the_last_are_known_first_and_nobody_waits_for_the_others(
    tmp_path: Path, images: tuple[Image, ...], started: list[int]
) -> None:
    reading, writing = os.pipe()
    take = CopiedStamps.of

    def wait_at_the_sixth(
        self: CopiedStamps, folder: str, copies: Iterable[FileCopy]
    ) -> CopiedStamp | None:
        if folder == "base/a6":
            os.write(writing, b"x")
            signal.pause()
        return take(self, folder, copies)

    with (
        patch.object(CopiedStamps, "of", wait_at_the_sixth),
        closing(begin(tmp_path)) as stamps,
    ):
        assert os.read(reading, 1) == b"x"
        assert known(stamps, images) == NAMES[7:]
    os.close(reading)
    os.close(writing)


def test_an_image_whose_files_are_missing_has_none(
    tmp_path: Path, images: tuple[Image, ...], started: list[int]
) -> None:
    (tmp_path / "base/a9/src/x").unlink()
    (tmp_path / "base/a9/src").rmdir()
    with closing(begin(tmp_path)) as stamps:
        wait_for(started)
        assert known(stamps, images) == NAMES[:-1]


def test_a_recipe_that_changed_since_has_none(
    tmp_path: Path, images: tuple[Image, ...], stamps: StampsAhead
) -> None:
    with (tmp_path / "base/a3/image.toml").open("a") as file:
        file.write('exclude = ["*.log"]\n')
    (tmp_path / "base/a4/image.toml").touch()
    (tmp_path / "base/b").mkdir()
    (tmp_path / "base/b/image.toml").write_text(RECIPE)
    now = tuple(read_workspace(tmp_path).images.values())
    assert known(stamps, now) == [name for name in NAMES if name != "a3"]


def test_recipes_that_another_version_read_have_none(
    tmp_path: Path, images: tuple[Image, ...], started: list[int]
) -> None:
    with (
        patch("orchestrator.remembered.recipes._WRITTEN_BY", "another "),
        closing(begin(tmp_path)) as stamps,
    ):
        wait_for(started)
        assert known(stamps, images) == []


def test_where_nothing_is_remembered_none_is_known(
    tmp_path: Path, images: tuple[Image, ...]
) -> None:
    (tmp_path / ".orch/files.db").unlink()
    assert known(begin(tmp_path), images) == []


def test_each_plan_has_its_own_and_closes_it(
    tmp_path: Path, images: tuple[Image, ...], started: list[int]
) -> None:
    opened = open_workspace(tmp_path, to_plan=True)
    assert opened.ahead
    assert opened.ahead.is_open
    for processes in (1, 2):
        plan(opened, BuildOptions(AMD64))
        assert not opened.ahead.is_open
        assert len(started) == processes


def test_of_a_process_that_ended_early_nothing_is_known(
    tmp_path: Path, images: tuple[Image, ...], started: list[int]
) -> None:
    with (
        patch.object(CopiedStamps, "of", side_effect=MemoryError),
        closing(begin(tmp_path)) as stamps,
    ):
        wait_for(started)
        assert known(stamps, images) == []


def test_closing_leaves_no_process_and_nothing_is_known_then(
    images: tuple[Image, ...], stamps: StampsAhead, started: list[int]
) -> None:
    stamps.close()
    assert known(stamps, images) == []
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


def test_few_images_are_not_worth_a_process(
    tmp_path: Path, images: tuple[Image, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "WORTH_A_PROCESS", 11)
    assert known(begin(tmp_path), images) == []


def test_beside_other_threads_no_process_is_started(
    tmp_path: Path, images: tuple[Image, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert known(begin(tmp_path), images) == []


def test_where_none_can_be_started_nothing_is_known(
    tmp_path: Path, images: tuple[Image, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refuse)
    assert known(begin(tmp_path), images) == []
