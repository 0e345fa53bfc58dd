"""Stamps that a second process takes: the same as this one's, or none."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.model import Image
from orchestrator.remembered import ahead
from orchestrator.remembered.ahead import StampsAhead
from orchestrator.remembered.stamps import CopiedStamps
from orchestrator.workspace import read_workspace
from tests.helpers import ROOT, write_tree, write_workspace

RECIPE = f'from = "{ROOT}"\n[[files]]\nfrom = "src"\nto = "/app"\n'
NAMES = [f"a{number}" for number in range(10)]
LATER = NAMES[3:]


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Image, ...]:
    """Write ten images that copy files; so few are worth a process, whatever threads there are."""
    monkeypatch.setattr(ahead, "WORTH_A_PROCESS", 2)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    root = write_workspace(tmp_path, {f"base/{name}": RECIPE for name in NAMES})
    write_tree(root, {f"base/{name}/src/x": name for name in NAMES})
    return tuple(read_workspace(root).images.values())


@pytest.fixture
def stamps(tmp_path: Path, images: tuple[Image, ...]) -> Iterator[StampsAhead]:
    found = StampsAhead(tmp_path, images)
    yield found
    found.close()


def known(stamps: StampsAhead, images: tuple[Image, ...]) -> list[str]:
    return [image.name for image in images if stamps.of(image)]


def test_they_are_those_that_this_process_takes(
    tmp_path: Path, images: tuple[Image, ...], stamps: StampsAhead
) -> None:
    here = CopiedStamps(str(tmp_path))
    assert known(stamps, images) == LATER
    assert [stamps.of(image) for image in images[3:]] == [here.of(image) for image in images[3:]]


def test_an_image_whose_files_are_missing_has_none(
    tmp_path: Path, images: tuple[Image, ...]
) -> None:
    (tmp_path / "base/a9/src/x").unlink()
    (tmp_path / "base/a9/src").rmdir()
    stamps = StampsAhead(tmp_path, images)
    assert known(stamps, images) == LATER[:-1]


def test_of_a_process_that_ended_early_nothing_is_known(
    images: tuple[Image, ...], stamps: StampsAhead
) -> None:
    stamps.close()
    assert known(stamps, images) == []


def test_closing_leaves_no_process(
    tmp_path: Path, images: tuple[Image, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    fork = os.fork

    def note() -> int:
        started.append(fork())
        return started[0]

    monkeypatch.setattr(os, "fork", note)
    StampsAhead(tmp_path, images).close()
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
