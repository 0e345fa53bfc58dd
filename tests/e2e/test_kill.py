"""A build killed at any moment leaves nothing half made: the next one ends as if undisturbed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.monorepo import TIMEOUT_S, Monorepo
from tests.e2e.sessions import all_end, running

KILLS, FULL_KILLS = 8, 50


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kill" in metafunc.fixturenames:
        kills = FULL_KILLS if metafunc.config.getoption("--full") else KILLS
        metafunc.parametrize("kill", range(kills))


@pytest.fixture(scope="module")
def duration_s(big_template: Monorepo, tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long an undisturbed build takes from nothing, on this machine, now."""
    repo = big_template.copy(tmp_path_factory.mktemp("measured") / "repo")
    begin = time.monotonic()
    repo.build("--jobs", "2")
    return time.monotonic() - begin


def test_a_build_killed_at_any_moment_is_carried_on(
    big_template: Monorepo,
    expected: dict[str, str],
    duration_s: float,
    tmp_path: Path,
    kill: int,
) -> None:
    """Kill everything, or the main process alone: its workers may go on while the next runs."""
    repo = big_template.copy(tmp_path / "repo")
    moment_s = random.Random(kill).random() * duration_s
    with running(repo) as process:
        try:
            process.wait(moment_s)
        except subprocess.TimeoutExpired:
            (os.killpg if kill % 2 else os.kill)(process.pid, signal.SIGKILL)
            process.wait(TIMEOUT_S)
        repo.check_intact()
        assert repo.digests("--jobs", "2") == expected
        assert all_end(process.pid), "a process waits for ever for the one that was killed"
    repo.check_intact()
    assert {image["status"] for image in repo.build().values()} == {"reused"}
    assert repo.digests() == expected
