"""What a run that is killed leaves, at whatever point, the next run carries on from."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.children import TIMEOUT_S
from tests.faults.points import Point, kill_at, note_in, read_points
from tests.faults.scenarios import Scenario
from tests.faults.tally import Tally

RANDOM, FULL_RANDOM = 1, 30
RUNNING_UV = Point("resolve.python.uv.Uv._run", "fork_exec")
NAMES, OCCURRENCES, FULL_OCCURRENCES = 3, 1, 2


def points_of(scenario: Scenario, home: Path) -> list[Point]:
    """Return the points of an undisturbed run, which comes to what it should."""
    ground = scenario.fresh(home)
    ended = ground.run(*scenario.verb, watch=note_in(home / "points"))
    assert ended.code == 0, ended.said
    scenario.check(ground)
    return read_points(home / "points")


def chosen(points: list[Point], *, full: bool) -> list[Point]:
    """Return some points of every name; in the short form of some names, others each verb."""
    by_name: dict[str, list[Point]] = {}
    for point in points:
        by_name.setdefault(point.name, []).append(point)
    rng = random.Random(len(points))
    names = sorted(by_name) if full else rng.sample(sorted(by_name), min(NAMES, len(by_name)))
    most = FULL_OCCURRENCES if full else OCCURRENCES
    return [
        point
        for name in names
        for point in rng.sample(by_name[name], min(most, len(by_name[name])))
    ]


def test_killed_at_a_named_point(
    scenario: Scenario, home: Path, tally: Tally, request: pytest.FixtureRequest
) -> None:
    full = request.config.getoption("--full")
    points = chosen(points_of(scenario, home / "noted"), full=full)
    assert points
    for number, point in enumerate(points):
        ground = scenario.fresh(home / f"{number}")
        ended = ground.run(*scenario.verb, watch=kill_at(point))
        verb = scenario.verb[0]
        if ended.was_killed:
            tally.count(f"kills of {verb} at a point", point.name)
        else:
            tally.count(f"runs of {verb} whose point was not met")
        try:
            scenario.heal(ground, tally)
        except AssertionError as error:
            raise AssertionError(f"killed at {point}") from error
        assert not list((ground.home / "tmp").iterdir()), f"killed at {point}"


def test_killed_at_any_instant(
    scenario: Scenario, home: Path, tally: Tally, request: pytest.FixtureRequest
) -> None:
    """Kill everything, or the main process alone: what it started may go on meanwhile."""
    full = request.config.getoption("--full")
    rng = random.Random(scenario.verb[0])
    for number in range(FULL_RANDOM if full else RANDOM):
        ground = scenario.fresh(home / f"{number}")
        child = ground.start(*scenario.verb)
        if not child.ends_within(rng.random() * 0.3):
            child.kill(alone=number % 2 == 1)
        if child.result(TIMEOUT_S).was_killed:
            tally.count(f"kills of {scenario.verb[0]} at an instant")
        scenario.heal(ground, tally)


def test_of_a_killed_run_nothing_temporary_is_left_once_room_is_made(
    lock: Scenario, home: Path
) -> None:
    """Kill a run, while uv is about to run for it: the folder that it was given is still there."""
    ground = lock.fresh(home / "killed")
    assert ground.run(*lock.verb, watch=kill_at(RUNNING_UV)).was_killed
    assert len(ground.left()) == 1
    assert ground.run("gc").code == 0
    assert ground.left() == []
