"""A disk that is full, that fails, or may not be written to: one error, and nothing is lost."""

from __future__ import annotations

import ctypes
import errno
import os
import random
from pathlib import Path

import pytest

from tests.conftest import give_up
from tests.faults.children import fork
from tests.faults.ground import Ground
from tests.faults.points import FAILS, fail_at, note_in, read_points
from tests.faults.scenarios import Building, Scenario
from tests.faults.tally import Tally
from tests.real.parts import MissingPartError

POINTS = 2
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES)
SIZES, FULL_SIZES = 2, 100
_CLONE_NEWNS, _MS_REC, _MS_PRIVATE, _MS_REMOUNT = 0x20000, 0x4000, 0x40000, 32
_NO_NAMESPACE = 99


def test_a_call_that_fails_once_is_an_error_with_a_hint_or_does_no_harm(
    scenario: Scenario, home: Path, tally: Tally, request: pytest.FixtureRequest
) -> None:
    noted = scenario.fresh(home / "noted")
    noted.run(*scenario.verb, watch=note_in(home / "points", FAILS))
    points = read_points(home / "points")
    rng = random.Random(scenario.verb[0])
    if not request.config.getoption("--full"):
        points = rng.sample(points, min(POINTS, len(points)))
    for number, point in enumerate(points):
        error = ERRORS[number % len(ERRORS)]
        ground = scenario.fresh(home / f"{number}")
        try:
            ground.run(*scenario.verb, watch=fail_at(point, error))
            tally.count(f"{errno.errorcode[error]} once, in {scenario.verb[0]}", point.name)
            scenario.heal(ground, tally)
        except AssertionError as problem:
            raise AssertionError(f"{errno.errorcode[error]} at {point}") from problem


class TestFullDisk:
    """Run on a file system of its own, which is mounted where no other process sees it."""

    def test_a_full_disk_is_one_error_and_the_next_run_carries_on(
        self, build: Building, home: Path, tally: Tally, request: pytest.FixtureRequest
    ) -> None:
        sizes = FULL_SIZES if request.config.getoption("--full") else SIZES
        rng = random.Random(0)
        limits = [f"size={4 * blocks}k" for blocks in range(1, sizes + 1)]
        limits += [f"nr_inodes={count}" for count in range(2, sizes + 2)]
        chosen = limits if sizes == FULL_SIZES else rng.sample(limits, sizes)
        for number, limit in enumerate(chosen):
            for name in ("cache", "work/.orch"):
                ground = build.fresh(home / f"{number}-{name[:5]}")
                child = fork(lambda: _in_small(ground, name, limit, build), home / "said")  # noqa: B023 - it is called at once
                ended = child.result()
                if ended.code == _NO_NAMESPACE:
                    give_up(MissingPartError("a mount namespace"))
                assert ended.code in {0, 1}, f"{name} with {limit}:\n{ended.said}"
                tally.count("a full disk" if ended.code else "a disk that was large enough", limit)


def _in_small(ground: Ground, name: str, limit: str, scenario: Building) -> int:
    """Build with too little room in a folder, then with enough; return what the first came to."""
    libc = ctypes.CDLL(None, use_errno=True)
    place = ground.home / name
    place.mkdir(parents=True, exist_ok=True)
    if libc.unshare(_CLONE_NEWNS) or libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None):
        return _NO_NAMESPACE
    if libc.mount(b"none", os.fsencode(place), b"tmpfs", 0, limit.encode()):
        return _NO_NAMESPACE
    first = ground.run("build")
    if first.code:
        assert "no space left" in first.said or "disk" in first.said, first.said
    roomy = b"size=64m,nr_inodes=10000"
    assert not libc.mount(b"none", os.fsencode(place), b"tmpfs", _MS_REMOUNT, roomy)
    scenario.heal(ground, Tally())
    return first.code
