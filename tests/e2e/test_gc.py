"""`orch gc` beside builds, as processes of their own: no blob is lost, and room is made."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.monorepo import IMAGES, TIMEOUT_S, Monorepo
from tests.e2e.sessions import running

CHANGES = 6
GREEDY = ("--older-than", "1m", "--max-size", "1B")


def gc(repo: Monorepo, *arguments: str) -> dict[str, Any]:
    """Run `orch gc`; return its parts by name."""
    document = json.loads(repo.orch("gc", "--format", "json", *arguments).stdout)
    return {part["part"]: part for part in document["parts"]}


@pytest.fixture
def built(repo: Monorepo) -> dict[str, str]:
    """The digests of images whose blobs are there, and of which nothing else is known."""
    digests = repo.digests()
    shutil.rmtree(repo.cache)
    for name in ("state.db", "layout/index.json"):
        (repo.root / ".orch" / name).unlink()
    return digests


def test_gc_lets_go_of_nothing_that_a_running_build_has(
    repo: Monorepo, built: dict[str, str]
) -> None:
    last = repo.python.files / "gamma-1.0-py3-none-any.whl"
    with repo.server.holding(last) as gate, running(repo) as process:
        assert gate.asked.wait(TIMEOUT_S)
        parts = gc(repo, *GREEDY)
        gate.open.set()
        _, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, said
    assert all(part["in_use"] for part in parts.values())
    assert parts["images"]["removed"], "there is something to lose"
    repo.check_intact()
    assert repo.digests() == built


def test_a_build_that_was_killed_stands_in_nobodys_way(
    repo: Monorepo, built: dict[str, str]
) -> None:
    last = repo.python.files / "gamma-1.0-py3-none-any.whl"
    with repo.server.holding(last) as gate, running(repo) as process:
        assert gate.asked.wait(TIMEOUT_S)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(TIMEOUT_S) == -signal.SIGKILL
    parts = gc(repo)
    assert not any(part["in_use"] for part in parts.values())
    assert parts["images"]["removed"]
    repo.check_intact()
    assert repo.digests() == built


@contextmanager
def collecting(repo: Monorepo) -> Iterator[list[int]]:
    """Run `orch gc` again and again until the block ends; return the codes it ended with."""
    stop, codes = threading.Event(), list[int]()

    def collect() -> None:
        while not stop.is_set():
            process = repo.start("gc", *GREEDY)
            process.communicate(timeout=TIMEOUT_S)
            codes.append(process.returncode)

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        yield codes
    finally:
        stop.set()
        thread.join(TIMEOUT_S)


def check_named(repo: Monorepo) -> None:
    """Fail unless every image that the layout names is whole; of the rest files may go just now."""
    names = json.loads((repo.layout / "index.json").read_text())["manifests"]
    assert len(names) == len(IMAGES)
    for entry in names:
        repo._check_whole(entry)


def test_builds_and_collections_at_once_leave_every_image_whole(repo: Monorepo) -> None:
    expected = repo.digests()
    with collecting(repo) as codes:
        for number in range(CHANGES):
            repo.write("services/api/app/main.py", f"print({number})\n")
            repo.build()
            check_named(repo)
    assert len(codes) > 1
    assert set(codes) == {0}
    repo.write("services/api/app/main.py", "print('api')\n")
    assert repo.digests() == expected
