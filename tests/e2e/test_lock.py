"""`orch lock` as a user types it: checking, moving one package, what is newer, and why."""

from __future__ import annotations

import json
import shutil
import tomllib
from typing import Any

import pytest

from tests.e2e.monorepo import Monorepo


def as_json(repo: Monorepo, *arguments: str, code: int = 0) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(
        repo.orch("lock", *arguments, "--format", "json", code=code).stdout
    )
    return data


def text_of(repo: Monorepo) -> str:
    return repo.path("orch.lock").read_text()


def test_a_check_lists_what_changed_and_ends_with_1(repo: Monorepo) -> None:
    assert as_json(repo, "--check") == {
        "schema": "orch.lock-check/1",
        "ok": True,
        "differences": [],
    }
    repo.write("services/api/requirements.txt", "gamma\nbeta>=1\n")
    done = repo.orch("lock", "--check", code=1)
    assert done.stdout == (
        "services/api/requirements.txt:2: api asks for beta>=1, which it did not before\n"
    )
    assert done.stderr == (
        "error: orch.lock is behind what is asked for by: api\nhint: run: orch lock\n"
    )
    found = as_json(repo, "--check", code=1)
    assert found["ok"] is False
    assert found["differences"] == [
        {
            "input": "requirement",
            "image": "api",
            "subject": "beta>=1",
            "detail": "api asks for beta>=1, which it did not before",
            "file": "services/api/requirements.txt",
            "line": 2,
        }
    ]
    repo.orch("lock")
    repo.orch("lock", "--check")


def test_one_package_moves_and_the_output_says_so(repo: Monorepo) -> None:
    repo.python.add_wheel("gamma", "2.0")
    repo.python.add_wheel("beta", "2.0", requires=["alpha"])
    done = repo.orch("lock", "--upgrade-package", "Gamma")
    assert done.stdout.splitlines() == [
        "gamma 1.0 -> 2.0 (linux/amd64)",
        "gamma 1.0 -> 2.0 (linux/arm64)",
    ]
    moves = as_json(repo, "--upgrade-package", "gamma==1.0", "--upgrade-package", "beta")
    assert moves["schema"] == "orch.lock/1"
    assert [
        (move["name"], move["old"], move["new"])
        for move in moves["moves"]
        if move["platform"] == "linux/amd64"
    ] == [("beta", "1.0", "2.0"), ("gamma", "2.0", "1.0")]
    repo.orch("lock", "--check")


def test_a_package_that_a_line_pins_stays_and_the_line_is_named(repo: Monorepo) -> None:
    repo.write("constraints.txt", "# pins\nalpha==1.0\n")
    before = text_of(repo)
    done = repo.orch("lock", "--upgrade-package", "alpha")
    assert "alpha stays as it is: constraints.txt:2 says alpha==1.0" in done.stderr
    done = repo.orch("lock", "--upgrade-package", "alpha==2.0", code=1)
    assert "alpha 2.0 is ruled out by alpha==1.0 (constraints.txt:2)" in done.stderr
    assert text_of(repo) == before


@pytest.mark.parametrize("option", ["--upgrade", "--upgrade-package", "--explain"])
def test_an_unknown_package_is_an_error_with_the_nearest_name(repo: Monorepo, option: str) -> None:
    before = text_of(repo)
    done = repo.orch("lock", option, "gama", code=2)
    assert "error: no image holds a package 'gama'" in done.stderr
    assert "hint: did you mean gamma" in done.stderr
    assert text_of(repo) == before


def test_what_is_newer_says_which_line_holds_it_back_and_writes_nothing(repo: Monorepo) -> None:
    repo.python.add_wheel("gamma", "2.0")
    repo.python.add_wheel("beta", "2.0", requires=["gamma<2"])
    before = text_of(repo)
    done = repo.orch("lock", "--outdated")
    assert [" ".join(line.split()) for line in done.stdout.splitlines()[1:]] == [
        "alpha python 1.0 1.0 2.0 alpha<2 (constraints.txt:1) root",
        "beta python 1.0 2.0 2.0 web",
        "gamma python 1.0 1.0 2.0 beta needs gamma<2 (base/web/requirements.txt:2) api",
    ]
    found = as_json(repo, "--outdated")
    assert found["schema"] == "orch.lock-outdated/1"
    assert found["packages"][0] == {
        "name": "alpha",
        "kind": "python",
        "platform": "linux/amd64",
        "locked": "1.0",
        "wanted": "1.0",
        "latest": "2.0",
        "held_back_by": [{"text": "alpha<2", "image": "", "file": "constraints.txt", "line": 1}],
        "added_by": ["root"],
    }
    assert text_of(repo) == before


def test_a_newer_debian_package_is_listed_with_the_recipe_that_pins_it(repo: Monorepo) -> None:
    recipe = repo.path("base/root/image.toml")
    recipe.write_text(recipe.read_text().replace('"tool"', '"tool=1.0"'))
    repo.orch("lock")
    for architecture in ("amd64", "arm64"):
        repo.debian.add("tool", version="2.0", architecture=architecture)
        repo.debian.add("libdemo1", version="2.0", architecture=architecture)
    repo.debian.publish()
    rows = [" ".join(line.split()) for line in repo.orch("lock", "--outdated").stdout.splitlines()]
    assert [row for row in rows if " debian " in row] == [
        "libdemo1 debian 1.0 2.0 2.0 root",
        "tool debian 1.0 1.0 2.0 tool=1.0 (base/root/image.toml) root",
    ]


@pytest.mark.parametrize("built", [False, True])
def test_a_package_is_explained_by_the_chain_that_leads_to_it(
    repo: Monorepo, *, built: bool
) -> None:
    repo.write("base/root/requirements.txt", "")
    repo.orch("lock")
    if built:
        repo.build()
    done = repo.orch(
        "lock", "--explain", "alpha", "--format", "json", PIP_INDEX_URL="http://127.0.0.1:9/"
    )
    explained = json.loads(done.stdout)
    assert explained["schema"] == "orch.lock-explain/1"
    (held,) = explained["held"]
    assert (held["version"], held["form"], held["added_by"]) == ("1.0", "wheel", "web")
    assert held["held_by"] == ["web", "api"]
    assert held["platforms"] == ["linux/amd64", "linux/arm64"]
    (chain,) = held["chains"]
    assert [step["name"] for step in chain["steps"]] == ["beta", "alpha"]
    assert chain["line"] == {
        "text": "beta",
        "image": "web",
        "file": "base/web/requirements.txt",
        "line": 2,
    }
    assert held["needed_by"] == [{"name": "beta", "version": "1.0", "text": "alpha"}]
    assert explained["bounds"] == [
        {"text": "alpha<2", "image": "", "file": "constraints.txt", "line": 1}
    ]
    shown = repo.orch("lock", "--explain", "alpha").stdout
    assert "added by   web: change that image to move it" in shown
    assert "web: beta -> alpha (base/web/requirements.txt:2)" in shown


def test_a_debian_package_is_explained_and_one_of_python_of_the_same_name_too(
    repo: Monorepo,
) -> None:
    repo.python.add_wheel("libdemo1", "3.0")
    repo.write("services/api/requirements.txt", "gamma\nlibdemo1\n")
    repo.orch("lock")
    held = as_json(repo, "--explain", "libdemo1")["held"]
    assert [(item["kind"], item["form"], item["added_by"]) for item in held] == [
        ("debian", "deb", "root"),
        ("python", "wheel", "api"),
    ]
    assert [step["text"] for step in held[0]["chains"][0]["steps"]] == ["tool", "libdemo1"]


def test_a_project_that_no_index_has_ends_with_1_and_names_its_line_and_all_else_is_locked(
    repo: Monorepo,
) -> None:
    repo.write("services/api/requirements.txt", "gamma\nGama==1.0\n")
    repo.write("base/web/requirements.txt", "beta>=1\n")
    done = repo.orch("lock", code=1)
    assert (
        "error: no package index has gama (services/api/requirements.txt:2); "
        "what wants it is unavailable\nhint: mend the name" in done.stderr
    )
    locked = tomllib.loads(text_of(repo))
    assert "gama was not found" in locked["image"]["api"]["linux/amd64"]["unavailable"]
    assert locked["image"]["web"]["linux/amd64"]["python"] == {"beta": "1.0"}
    assert "beta>=1" in locked["asked"]["web"]["python"]


def test_a_project_that_another_needs_and_no_index_has_ends_with_1_too(repo: Monorepo) -> None:
    repo.python.add_wheel("delta", requires=["gama"])
    repo.write("services/api/requirements.txt", "delta\n")
    done = repo.orch("lock", "--dry-run", code=1)
    assert "error: no package index has gama; " in done.stderr


@pytest.mark.parametrize("line", ["native", "gamma==9.0"])
def test_a_project_without_a_file_or_a_version_that_will_do_is_a_warning(
    repo: Monorepo, line: str
) -> None:
    repo.python.add_wheel("native", tag="cp39-cp39-manylinux_2_17_x86_64")
    repo.write("services/api/requirements.txt", f"{line}\n")
    done = repo.orch("lock")
    assert "warning: api cannot be locked for linux/amd64: " in done.stderr
    assert "error" not in done.stderr
    repo.orch("lock", "--strict", code=3)


def test_what_was_locked_before_stays_on_a_machine_whose_index_lacks_it(repo: Monorepo) -> None:
    before = text_of(repo)
    shutil.rmtree(repo.home / "python/simple/gamma")
    done = repo.orch("lock", "--upgrade-package", "beta")
    assert "api for linux/amd64 is left as it was locked" in done.stderr
    assert text_of(repo) == before


def test_a_debian_package_that_the_archive_lacks_ends_with_1_and_nothing_is_written(
    repo: Monorepo,
) -> None:
    before = text_of(repo)
    recipe = repo.path("base/root/image.toml")
    recipe.write_text(recipe.read_text().replace('"tool"', '"tol"'))
    done = repo.orch("lock", code=1)
    assert "base/root/image.toml: " in done.stderr
    assert "tol: no such package in bookworm" in done.stderr
    assert "hint: did you mean tool" in done.stderr
    assert text_of(repo) == before
