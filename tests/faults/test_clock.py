"""Clocks that are wrong, or jump while a run goes on: neither digests nor stores depend on them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.scenarios import Scenario
from tests.faults.tally import Tally

_YEAR_S = 365 * 86_400.0


def shifted(seconds: Callable[[], float]) -> Callable[[], None]:
    """Return what lets the clock of a process be wrong by `seconds`, asked each time."""
    now, now_ns = time.time, time.time_ns

    def prepare() -> None:
        time.time = lambda: now() + seconds()
        time.time_ns = lambda: now_ns() + int(seconds() * 1e9)

    return prepare


CLOCKS: dict[str, Callable[[], float]] = {
    "years behind": lambda: -20 * _YEAR_S,
    "years ahead": lambda: 20 * _YEAR_S,
    "that jumps": lambda: random.choice((-_YEAR_S, -3600.0, 0.0, 3600.0, _YEAR_S)),
}


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("verb", ["build", "lock", "push", "gc"])
def test_a_clock_that_is_wrong_changes_nothing(
    request: pytest.FixtureRequest, home: Path, tally: Tally, clock: str, verb: str
) -> None:
    if verb != "build" and not request.config.getoption("--full"):
        pytest.skip("only with --full")
    scenario: Scenario = request.getfixturevalue(verb)
    ground = scenario.fresh(home / "ground")
    ended = ground.run(*scenario.verb, prepare=shifted(CLOCKS[clock]))
    tally.count(f"runs under a clock {clock}")
    assert ended.code == 0, ended.said
    scenario.check(ground)
    scenario.heal(ground, tally)
