"""Equal inputs give equal digests, wherever and however they are built."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.monorepo import ORCH, TIMEOUT_S, Monorepo


def test_two_checkouts_give_equal_digests(
    template: Monorepo, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    other = template.copy(tmp_path / "another place" / "far" / "away")
    assert other.digests() == undisturbed


@pytest.mark.parametrize(
    "env",
    [
        {"TZ": "Pacific/Kiritimati"},
        {"LANG": "C", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "12345"},
        {"SOURCE_DATE_EPOCH": "1"},
        {"HOME": "/nonexistent", "USER": "somebody", "HOSTNAME": "elsewhere"},
    ],
    ids=lambda env: next(iter(env)),
)
def test_the_environment_does_not_reach_the_image(
    repo: Monorepo, undisturbed: dict[str, str], env: dict[str, str]
) -> None:
    assert repo.digests(**env) == undisturbed


def test_the_umask_does_not_reach_the_image(repo: Monorepo, undisturbed: dict[str, str]) -> None:
    for path in repo.root.rglob("*"):
        path.chmod(path.stat().st_mode & ~0o077)
    subprocess.run(
        [ORCH, "build"],
        cwd=repo.root,
        env=repo.environment(),
        umask=0o077,
        capture_output=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    assert repo.digests() == undisturbed


def test_file_times_do_not_reach_the_image(repo: Monorepo, undisturbed: dict[str, str]) -> None:
    for path in repo.root.rglob("*"):
        os.utime(path, (1, 1))
    assert repo.digests() == undisturbed


@pytest.mark.parametrize("jobs", ["1", "8"])
def test_the_number_of_jobs_does_not_reach_the_image(
    repo: Monorepo, undisturbed: dict[str, str], jobs: str
) -> None:
    assert repo.digests("--jobs", jobs) == undisturbed


def test_the_history_of_a_checkout_does_not_reach_the_image(
    repo: Monorepo, undisturbed: dict[str, str]
) -> None:
    commands = (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"])
    for command in commands:
        subprocess.run(["git", *command], cwd=repo.root, check=True)
    assert repo.digests() == undisturbed


def test_a_cache_filled_by_other_builds_gives_the_same(
    repo: Monorepo, template: Monorepo, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    """What an edit put into the cache must not come back when the edit is undone."""
    source = repo.path("services/api/app/main.py")
    before = source.read_text()
    source.write_text("print('edited')\n")
    assert repo.digests()["api"] != undisturbed["api"]
    source.write_text(before)
    assert repo.digests() == undisturbed
    other = template.copy(tmp_path / "other")
    assert other.digests(ORCH_CACHE=str(repo.cache)) == undisturbed


def test_images_are_the_same_whatever_is_built_with_them(
    repo: Monorepo, undisturbed: dict[str, str]
) -> None:
    for name in ("api", "job"):
        images = repo.build(name)
        assert images[name]["digest"] == undisturbed[name]
