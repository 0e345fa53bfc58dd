"""Two to six runs at once, on slow disks, in one workspace, cache, wheelhouse and registry."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.children import Child
from tests.faults.ground import Ground, checked
from tests.faults.points import dawdle, kill_at, note_in, read_points
from tests.faults.scenarios import Building, Pushing, Scenario, Wheels
from tests.faults.tally import Tally

PAIRS, FULL_PAIRS = 1, 7
_SLOW_S = 0.01


@pytest.fixture
def pairs(request: pytest.FixtureRequest) -> range:
    return range(FULL_PAIRS if request.config.getoption("--full") else PAIRS)


def ended(children: list[Child]) -> None:
    """Wait for all; each must come to its good end."""
    done = [checked(child.result()) for child in children]
    assert [(one.code, one.said) for one in done if one.code] == []


def slow(seed: int) -> float:
    """Return how slow the disk is for a run; some are fast, so that runs overtake each other."""
    return random.Random(seed).choice((0.0, _SLOW_S / 5, _SLOW_S))


def at_once(grounds: list[Ground], verbs: list[tuple[str, ...]], seed: int) -> None:
    ended(
        [
            ground.start(*verb, watch=dawdle(seed + number, slow(seed + number)))
            for number, (ground, verb) in enumerate(zip(grounds, verbs, strict=True))
        ]
    )


@pytest.mark.parametrize("count", [2, 3, 6])
def test_builds_of_one_workspace(
    build: Building, home: Path, tally: Tally, pairs: range, count: int
) -> None:
    for number in pairs:
        ground = build.fresh(home / f"{number}")
        at_once([ground] * count, [("build",)] * count, number)
        tally.count(f"{count} builds of one workspace at once")
        build.check(ground)
        build.heal(ground, tally)


@pytest.mark.parametrize("count", [2, 4])
def test_builds_of_workspaces_that_share_a_cache(
    build: Building, home: Path, tally: Tally, pairs: range, count: int
) -> None:
    for number in pairs:
        first = build.fresh(home / f"{number}")
        grounds = [first, *(first.beside(f"beside-{other}") for other in range(count - 1))]
        at_once(grounds, [("build",)] * count, number)
        tally.count(f"{count} builds with one cache at once")
        for ground in grounds:
            build.check(ground)
            build.heal(ground, tally)


@pytest.mark.parametrize(
    "others",
    [
        ("gc", "--max-size", "1B"),
        ("fsck", "--repair"),
        ("lock",),
        ("plan",),
    ],
    ids=lambda others: others[0],
)
def test_a_build_beside_another_verb(
    rebuild: Building, home: Path, tally: Tally, pairs: range, others: tuple[str, ...]
) -> None:
    for number in pairs:
        ground = rebuild.fresh(home / f"{number}")
        at_once([ground, ground], [("build",), others], number)
        tally.count(f"a build and {others[0]} at once")
        rebuild.check(ground)
        rebuild.heal(ground, tally)


def test_wheels_of_one_wheelhouse(wheels: Wheels, home: Path, tally: Tally, pairs: range) -> None:
    for number in pairs:
        ground = wheels.fresh(home / f"{number}")
        at_once([ground, ground], [("wheels",), ("wheels",)], number)
        tally.count("2 runs of wheels at once")
        wheels.check(ground)
        wheels.heal(ground, tally)


def test_pushes_to_one_registry(push: Pushing, home: Path, tally: Tally, pairs: range) -> None:
    for number in pairs:
        ground = push.fresh(home / f"{number}")
        at_once([ground, ground], [("push",), ("push",)], number)
        tally.count("2 pushes to one registry at once")
        push.check(ground)
        push.heal(ground, tally)


@pytest.mark.parametrize(
    "verb", ["build", "push", "rebuild", "lock", "relock", "wheels", "deploy", "gc"]
)
def test_one_of_two_is_killed(
    request: pytest.FixtureRequest, home: Path, tally: Tally, pairs: range, verb: str
) -> None:
    if verb not in {"build", "push"} and not request.config.getoption("--full"):
        pytest.skip("only with --full")
    scenario: Scenario = request.getfixturevalue(verb)
    noted = scenario.fresh(home / "noted")
    noted.run(*scenario.verb, watch=note_in(home / "points"))
    points = read_points(home / "points")
    for number in pairs:
        ground = scenario.fresh(home / f"{number}")
        point = random.Random(number).choice(points)
        killed = ground.start(*scenario.verb, watch=kill_at(point))
        other = ground.start(*scenario.verb, watch=dawdle(number, _SLOW_S / 5))
        killed.result()
        done = checked(other.result())
        tally.count(f"2 runs of {scenario.verb[0]} at once, one of them killed", point.name)
        try:
            if not (scenario.refusal and scenario.refusal in done.said):
                assert done.code == 0, done.said
                scenario.check(ground)
            scenario.heal(ground, tally)
        except AssertionError as error:
            raise AssertionError(f"the other was killed at {point}") from error
