"""Stamps that a second process takes: the same as this one's, or none."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest

from orchestrator.model import Image
from orchestrator.remembered import ahead
from orchestrator.remembered.ahead import StampsAhead
from orchestrator.remembered.stamps import CopiedStamp, CopiedStamps
from orchestrator.workspace import read_workspace
from tests.helpers import ROOT, write_tree, write_workspace

RECIPE = f'from = "{ROOT}"\n[[files]]\nfrom = "src"\nto = "/app"\n'
NAMES = [f"a{number}" for number in range(10)]


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Image, ...]:
    """Write ten images that copy files; so few are worth a process, whatever threads there are."""
    monkeypatch.setattr(ahead, "WORTH_A_PROCESS", 2)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    root = write_workspace(tmp_path, {f"base/{name}": RECIPE for name in NAMES})
    write_tree(root, {f"base/{name}/src/x": name for name in NAMES})
    return tuple(read_workspace(root).images.values())


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
    found = StampsAhead(tmp_path, images)
    wait_for(started)
    yield found
    found.close()


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
    assert [stamps.of(image) for image in images] == [here.of(image) for image in images]


@pytest.mark.parametrize("hours", [-1, 1])
def test_they_say_whether_a_change_since_would_show(
    tmp_path: Path, images: tuple[Image, ...], started: list[int], hours: int
) -> None:
    now_ns = time.time_ns() + hours * 3600 * 10**9
    with (
        patch("orchestrator.remembered.stamps.time.time_ns", lambda: now_ns),
        closing(StampsAhead(tmp_path, images)) as stamps,
    ):
        wait_for(started)
        found = [stamps.of(image) for image in images]
    assert [stamp and stamp.was_settled for stamp in found] == [hours > 0] * len(images)


def test_the_last_are_known_first_and_nobody_waits_for_the_others(
    tmp_path: Path, images: tuple[Image, ...], started: list[int]
) -> None:
    reading, writing = os.pipe()
    take = CopiedStamps.of

    def wait_at_the_sixth(self: CopiedStamps, image: Image) -> CopiedStamp | None:
        if image.name == "a6":
            os.write(writing, b"x")
            signal.pause()
        return take(self, image)

    with (
        patch.object(CopiedStamps, "of", wait_at_the_sixth),
        closing(StampsAhead(tmp_path, images)) as stamps,
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
    with closing(StampsAhead(tmp_path, images)) as stamps:
        wait_for(started)
        assert known(stamps, images) == NAMES[:-1]


def test_an_image_that_copies_nothing_has_none(
    tmp_path: Path, images: tuple[Image, ...], stamps: StampsAhead
) -> None:
    (tmp_path / "base/b").mkdir()
    (tmp_path / "base/b/image.toml").write_text('from = "a1"\n')
    assert known(stamps, tuple(read_workspace(tmp_path).images.values())) == NAMES


def test_of_a_process_that_ended_early_nothing_is_known(
    tmp_path: Path, images: tuple[Image, ...], started: list[int]
) -> None:
    with (
        patch.object(CopiedStamps, "of", side_effect=MemoryError),
        closing(StampsAhead(tmp_path, images)) as stamps,
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
    assert known(StampsAhead(tmp_path, images), images) == []


def test_beside_other_threads_no_process_is_started(
    tmp_path: Path, images: tuple[Image, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert known(StampsAhead(tmp_path, images), images) == []


def test_where_none_can_be_started_nothing_is_known(
    tmp_path: Path, images: tuple[Image, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refuse)
    assert known(StampsAhead(tmp_path, images), images) == []
