"""Which wheel fits an image best, and which it cannot load."""

from __future__ import annotations

import itertools

import pytest

from orchestrator.model import LockedDeb, Platform
from orchestrator.resolve.python.offered import DistributionFile, Target
from orchestrator.resolve.python.tags import choose_file, rank_of
from orchestrator.resolve.target import target_of

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
BOOKWORM = Target(AMD64, "3.11", (2, 36))

BEST_FIRST = (
    "cp311-cp311-manylinux_2_36_x86_64",
    "cp311-cp311-manylinux_2_28_x86_64",
    "cp311-cp311-manylinux_2_17_x86_64",
    "cp311-cp311-manylinux2014_x86_64",
    "cp311-cp311-manylinux1_x86_64",
    "cp311-cp311-linux_x86_64",
    "cp311-abi3-manylinux_2_17_x86_64",
    "cp39-abi3-manylinux_2_17_x86_64",
    "py3-none-manylinux_2_17_x86_64",
    "py3-none-any",
)


def file(tag: str) -> DistributionFile:
    return DistributionFile("x", "1", f"x-1-{tag}.whl", "aa", "")


def rank(tag: str, target: Target = BOOKWORM) -> int | None:
    return rank_of(f"x-1-{tag}.whl", target)


def test_wheels_are_ranked_as_installers_rank_them() -> None:
    ranks = [rank(tag) for tag in BEST_FIRST]
    found = [value for value in ranks if value is not None]
    assert len(found) == len(BEST_FIRST)
    assert found == sorted(found)


@pytest.mark.parametrize(
    "tag",
    [
        "cp311-cp311-manylinux_2_37_x86_64",
        "cp311-cp311-manylinux_2_17_aarch64",
        "cp311-cp311-musllinux_1_2_x86_64",
        "cp312-cp312-manylinux_2_17_x86_64",
        "cp312-abi3-manylinux_2_17_x86_64",
        "cp310-cp310-manylinux_2_17_x86_64",
        "cp311-cp311-win_amd64",
        "cp311-cp311-macosx_11_0_arm64",
        "pp311-pypy311_pp73-manylinux_2_17_x86_64",
        "py2-none-any",
    ],
)
def test_what_the_image_cannot_load_has_no_rank(tag: str) -> None:
    assert rank(tag) is None


def test_another_architecture_has_its_own_tags() -> None:
    arm = Target(ARM64, "3.11", (2, 36))
    assert rank("cp311-cp311-manylinux_2_17_aarch64", arm) is not None
    assert rank("cp311-cp311-manylinux_2_17_x86_64", arm) is None


def test_an_older_c_library_takes_fewer_wheels() -> None:
    assert rank("cp311-cp311-manylinux_2_28_x86_64", Target(AMD64, "3.11", (2, 27))) is None


def test_a_wheel_of_several_tags_counts_by_its_best() -> None:
    best = rank("cp311-cp311-manylinux_2_28_x86_64")
    assert rank("cp311-cp311-manylinux_2_17_x86_64.manylinux_2_28_x86_64") == best
    assert rank("py2.py3-none-any") == rank("py3-none-any")


def test_a_name_that_is_no_wheels_has_no_rank() -> None:
    assert rank_of("x.whl", BOOKWORM) is None
    assert rank_of("x-1.tar.gz", BOOKWORM) is None


def test_the_best_file_is_chosen_whatever_the_order() -> None:
    tags = ("py3-none-any", "cp39-abi3-manylinux_2_17_x86_64", "cp312-cp312-linux_x86_64")
    for order in itertools.permutations(tags):
        chosen = choose_file([file(tag) for tag in order], BOOKWORM)
        assert chosen == file("cp39-abi3-manylinux_2_17_x86_64")


def test_an_sdist_is_chosen_where_no_wheel_fits() -> None:
    sdist = DistributionFile("x", "1", "x-1.tar.gz", "bb", "")
    assert choose_file([file("cp27-cp27m-win32"), sdist], BOOKWORM) == sdist
    assert choose_file([sdist, file("py3-none-any")], BOOKWORM) == file("py3-none-any")
    assert choose_file([file("cp27-cp27m-win32")], BOOKWORM) is None
    assert choose_file([], BOOKWORM) is None


@pytest.mark.parametrize(
    ("version", "glibc"), [("2.36-9+deb12u13", (2, 36)), ("2.41-12", (2, 41)), ("x", (2, 28))]
)
def test_the_c_library_is_the_one_the_chain_holds(version: str, glibc: tuple[int, int]) -> None:
    debs = [
        LockedDeb("other", "9.9", "all", "", 0, ""),
        LockedDeb("libc6", version, "amd64", "", 0, ""),
    ]
    assert target_of("3.11", AMD64, debs) == Target(AMD64, "3.11", glibc)


def test_without_a_c_library_a_cautious_one_is_assumed() -> None:
    assert target_of("3.11", AMD64, []).glibc == (2, 28)
