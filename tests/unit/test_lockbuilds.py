"""The lock's rows of builds: read back as written, sorted, and refused where they do not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.errors import LockError
from orchestrator.lockfile import ImageLock, Lock, parse_lock
from orchestrator.lockwriting import format_lock
from orchestrator.model import LockedWheel, WheelBuild
from tests.helpers import AMD64, ARM64, wheel_of

SDIST = LockedWheel("native", "1.0", "native-1.0.tar.gz", "5" * 64, 10)
BUILT = LockedWheel("native", "1.0", "native-1.0-cp311-cp311-linux_x86_64.whl", "b" * 64, 20)
TOOL = wheel_of("setuptools", "84.0")
PENDING = WheelBuild(SDIST, AMD64, (TOOL,), ("libone-dev",), ("MODE",), "digest")
DONE = replace(PENDING, wheel=BUILT, compiler="gcc 12")
IMAGES = {
    ("api", AMD64): ImageLock((), (wheel_of("alpha"), SDIST)),
    ("api", ARM64): ImageLock((), (wheel_of("alpha"), SDIST)),
}
LOCK = Lock("3.11", "bookworm", {}, IMAGES)


def test_a_build_is_read_back_as_it_was_written() -> None:
    for builds in ([PENDING], [DONE], [DONE, replace(PENDING, platform=ARM64, requires=())]):
        lock = LOCK.with_builds(builds)
        assert parse_lock(format_lock(lock)) == lock


def test_images_hold_what_was_built_for_their_platform() -> None:
    lock = LOCK.with_builds([DONE])
    assert lock.image("api", AMD64).wheels == (wheel_of("alpha"), BUILT)
    assert lock.image("api", ARM64).wheels == (wheel_of("alpha"), SDIST)
    assert lock.with_builds([PENDING]).image("api", AMD64).wheels == (wheel_of("alpha"), SDIST)


def test_a_build_is_found_by_its_wheel_and_by_its_sdist_on_its_platform() -> None:
    lock = LOCK.with_builds([DONE])
    assert lock.build_of(BUILT, AMD64) == lock.build_of(SDIST, AMD64) == DONE
    assert lock.build_of(SDIST, ARM64) is None
    assert lock.build_of(wheel_of("alpha"), AMD64) is None


def test_the_order_of_builds_does_not_count() -> None:
    other = replace(PENDING, platform=ARM64)
    assert format_lock(LOCK.with_builds([other, DONE])) == format_lock(
        LOCK.with_builds([DONE, other])
    )


def test_values_of_variables_are_not_written() -> None:
    assert '"MODE"' in format_lock(LOCK.with_builds([DONE]))
    assert not hasattr(DONE.env, "values")


def test_a_lock_without_builds_has_no_row_of_them() -> None:
    assert "built" not in format_lock(LOCK)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (f'sdist = "{SDIST.sha256}"', f'sdist = "{"6" * 64}"', "another sdist"),
        ('requires = [ "setuptools==84.0",]', "requires = []", "no image adds setuptools"),
        ("setuptools==84.0", "setuptools==85.0", "no .*wheel.* for setuptools 85.0"),
    ],
)
def test_a_build_that_does_not_fit_the_files_is_refused(old: str, new: str, problem: str) -> None:
    text = format_lock(LOCK.with_builds([DONE]))
    assert old in text
    with pytest.raises(LockError, match=problem):
        parse_lock(text.replace(old, new))
