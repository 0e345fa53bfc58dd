"""`orch wheels` and what it is for: wheels of sdists, once for everyone."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.monorepo import Monorepo
from tests.e2e.native import MADE, add_native
from tests.sdists import HERE


@pytest.fixture(scope="module")
def locked(template: Monorepo, tmp_path_factory: pytest.TempPathFactory) -> Monorepo:
    """A monorepo whose service `api` wants `native`, which the index has as source only."""
    repo = template.copy(tmp_path_factory.mktemp("native") / "repo")
    add_native(repo, MADE)
    repo.orch("lock")
    return repo


@pytest.fixture
def repo(locked: Monorepo, tmp_path: Path) -> Monorepo:
    return locked.copy(tmp_path / "repo")


def built_row(repo: Monorepo) -> dict[str, Any]:
    rows = tomllib.loads(repo.path("orch.lock").read_text())["built"]
    (row,) = [row for row in rows if row["platform"] == str(HERE)]
    return dict(row)


def file_of(repo: Monorepo, sha256: str) -> Path:
    return repo.cache / "downloads" / sha256[:2] / sha256


def statuses(repo: Monorepo, *options: str) -> dict[str, str]:
    document = json.loads(repo.orch("wheels", "--format", "json", *options).stdout)
    assert document["schema"] == "orch.wheels/1"
    return {item["name"]: item["status"] for item in document["wheels"]}


def test_orch_wheels_builds_what_no_index_has_and_the_lock_records_it(repo: Monorepo) -> None:
    assert "file" not in built_row(repo)
    done = repo.orch("wheels")
    assert "built native-1.0-" in done.stdout
    assert "orch.lock changed, review it: native 1.0" in done.stderr
    row = built_row(repo)
    assert file_of(repo, row["sha256"]).stat().st_size == row["size"]
    text = repo.path("orch.lock").read_text()
    assert statuses(repo) == dict.fromkeys(("alpha", "beta", "gamma", "native"), "here")
    assert repo.path("orch.lock").read_text() == text
    repo.orch("lock")
    assert repo.path("orch.lock").read_text() == text


def test_orch_build_builds_missing_wheels_by_itself(repo: Monorepo) -> None:
    done = repo.orch("build")
    assert "building native 1.0 on this machine with" in done.stderr
    assert "orch.lock changed, review it: native 1.0" in done.stderr
    assert "native" not in repo.orch("build").stderr


def test_a_fresh_machine_builds_the_recorded_wheel_again_and_the_same_image(
    repo: Monorepo,
) -> None:
    before = repo.digests()
    text = repo.path("orch.lock").read_text()
    shutil.rmtree(repo.cache)
    shutil.rmtree(repo.path(".orch"))
    assert repo.digests() == before
    assert repo.path("orch.lock").read_text() == text


def test_a_wheel_that_cannot_be_built_fails_its_image_and_no_other(repo: Monorepo) -> None:
    add_native(repo, "raise SystemExit('no luck')\n")
    repo.orch("lock", "--upgrade", "native")
    done = repo.orch("build", code=1)
    assert "the build of native 1.0 failed" in done.stderr
    assert "no luck" in done.stderr
    assert ".orch/logs/wheels/native.log" in done.stderr
    assert "built job" in done.stderr
    assert repo.orch("wheels", code=1).stderr.count("no luck") == 1


def test_a_wheel_that_this_machine_cannot_build_makes_its_image_unavailable(
    repo: Monorepo,
) -> None:
    add_native(repo, "raise SystemExit('fatal error: libpq-fe.h: No such file or directory')\n")
    repo.orch("lock", "--upgrade", "native")
    done = repo.orch("build")
    said = "unavailable api: native 1.0 can be built neither on this machine nor in a container:"
    assert said in done.stderr
    assert repo.orch("build", "api", code=3).stderr.count("libpq-dev")
    said = repo.orch("wheels", code=3).stderr
    assert "on this machine: building native 1.0 needs what this machine lacks" in said
    assert "in a container: no Docker engine answers" in said
    assert "in a container: start Docker" in said
    only_here = repo.orch("wheels", "--build-in", "host", code=3).stderr
    assert "in a container" not in only_here
    only_there = repo.orch("wheels", "--build-in", "container", code=3).stderr
    assert "building native 1.0 in a container: no Docker engine answers" in only_there
    assert "on this machine" not in only_there


def test_another_platforms_sdist_is_said_in_the_plan(repo: Monorepo) -> None:
    other = "linux/arm64" if str(HERE) == "linux/amd64" else "linux/amd64"
    plan = repo.orch("plan", "--platform", other).stdout
    assert f"is built on a machine of {other}: run orch wheels there" in plan


@pytest.mark.parametrize("damage", [b"", b"something else", None])
def test_a_damaged_wheel_is_noticed_thrown_away_and_had_again(
    repo: Monorepo, damage: bytes | None
) -> None:
    """Truncated, altered, or swapped with another wheel's bytes."""
    repo.orch("wheels")
    lock = tomllib.loads(repo.path("orch.lock").read_text())
    (alpha,) = [row for row in lock["wheel"] if row["name"] == "alpha"]
    for row in (alpha, built_row(repo)):
        file = file_of(repo, row["sha256"])
        whole = file.read_bytes()
        (beta,) = [other for other in lock["wheel"] if other["name"] == "beta"]
        file.write_bytes(file_of(repo, beta["sha256"]).read_bytes() if damage is None else damage)
        done = repo.orch("wheels")
        warnings = [line for line in done.stderr.splitlines() if "was damaged" in line]
        assert any(row["file"] in line for line in warnings), done.stderr
        assert file.read_bytes() == whole


def test_rebuilding_records_what_is_built_now(repo: Monorepo) -> None:
    repo.orch("wheels")
    before = built_row(repo)
    assert statuses(repo, "--rebuild", "Native")["native"] == "built"
    assert built_row(repo) == before
    assert "those that are: native" in repo.orch("wheels", "--rebuild", "alpha", code=2).stderr


def test_a_dry_run_says_what_would_be_done_and_does_nothing(repo: Monorepo) -> None:
    text = repo.path("orch.lock").read_text()
    planned = statuses(repo, "--dry-run")
    assert planned == {"alpha": "fetched", "beta": "fetched", "gamma": "fetched", "native": "built"}
    assert repo.path("orch.lock").read_text() == text
    assert not list(repo.cache.glob("downloads/*/*.whl"))


def test_what_is_kept_is_listed_explained_and_let_go(repo: Monorepo) -> None:
    repo.orch("wheels")
    row = built_row(repo)
    listed = json.loads(repo.orch("wheels", "list", "--format", "json").stdout)["wheels"]
    assert {item["name"] for item in listed} == {"alpha", "beta", "gamma", "native"}
    assert all(item["locked"] for item in listed)
    why = repo.orch("wheels", "why", "native").stdout
    for part in ("held by     api", row["file"], row["compiler"], "on this machine"):
        assert part in why
    assert "no Python project nobody" in repo.orch("wheels", "why", "nobody", code=2).stderr
    assert "nothing says which wheels may go" in repo.orch("wheels", "gc", code=2).stderr
    assert repo.orch("wheels", "gc", "--unlocked", "--max-size", "0B").stdout == ""
    gone = repo.orch("wheels", "gc", "--max-size", "0", "--even-locked").stdout.splitlines()
    assert len(gone) == len(listed)
    assert repo.orch("wheels", "list").stdout == ""


def test_a_damaged_store_is_found_by_verifying(repo: Monorepo) -> None:
    repo.orch("wheels")
    row = built_row(repo)
    file_of(repo, row["sha256"]).write_bytes(b"x" * row["size"])
    done = repo.orch("wheels", "list", "--verify", code=1)
    assert f"{row['file']} was damaged; thrown away" in done.stderr
    repo.orch("wheels", "list", "--verify")
    assert statuses(repo)["native"] == "built"


def test_two_runs_at_once_on_one_store_both_end_well(
    repo: Monorepo, request: pytest.FixtureRequest
) -> None:
    text = repo.path("orch.lock").read_text()
    for _ in range(20 if request.config.getoption("--full") else 3):
        shutil.rmtree(repo.cache, ignore_errors=True)
        repo.path("orch.lock").write_text(text)
        runs = [repo.start("wheels") for _ in range(2)]
        said = [run.communicate(timeout=120)[1] for run in runs]
        assert [run.returncode for run in runs] == [0, 0], said
        assert 1 <= sum(lines.count("building native") for lines in said) <= 2
        repo.orch("wheels", "list", "--verify")
        assert built_row(repo)["sha256"]


def test_offline_says_what_is_missing(repo: Monorepo) -> None:
    done = repo.orch("wheels", "--offline", code=1)
    assert "alpha-1.0-py3-none-any.whl is not in the cache" in done.stderr
