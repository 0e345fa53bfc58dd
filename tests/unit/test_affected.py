"""`orch affected` of the lock and the constraints: what differs from the last commit counts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orchestrator.app.explaining import affected
from orchestrator.app.opened import open_workspace
from orchestrator.lockfile import ImageLock
from tests.helpers import ROOT, deb_of, wheel_of, write_lock, write_tree, write_workspace

EVERY_RECIPE = ("a", "b", "s")


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True)


def lock(root: Path, numpy: str = "1.0", curl: str = "1.0", more: str = "") -> None:
    b = (wheel_of("numpy", numpy), *([wheel_of(more)] if more else []))
    write_lock(root, {"a": ImageLock((deb_of("curl", curl),)), "b": ImageLock((), b)})


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    """Write a workspace in a folder of a repository, all of it committed."""
    root = write_workspace(
        tmp_path / "repo" / "images",
        {
            "base/a": f'from = "{ROOT}"\n',
            "base/b": f'from = "{ROOT}"\n',
            "services/s": 'from = "a"\n',
        },
    )
    write_tree(root, {"base/d/Dockerfile": "FROM scratch\n"})
    write_tree(root, {"constraints.txt": "# versions\nNumPy<9\nflask<9\n"})
    lock(root)
    git(root.parent, "init", "-q")
    git(root.parent, "add", "-A")
    git(root.parent, "commit", "-q", "-m", "first")
    return root


def reached(root: Path, path: str) -> tuple[tuple[str, ...], list[str]]:
    warnings: list[str] = []
    return affected(open_workspace(root), [root / path], warnings.append), warnings


def test_a_pin_that_moved_reaches_what_holds_it_and_what_stands_on_that(ws: Path) -> None:
    lock(ws, numpy="2.0")
    assert reached(ws, "orch.lock") == (("b",), [])
    lock(ws, curl="2.0")
    assert reached(ws, "orch.lock") == (("a", "s"), [])


def test_a_pin_that_came_reaches_its_image(ws: Path) -> None:
    lock(ws, more="scipy")
    assert reached(ws, "orch.lock") == (("b",), [])


def test_what_was_asked_for_is_no_pin(ws: Path) -> None:
    text = (ws / "orch.lock").read_text()
    (ws / "orch.lock").write_text(text.replace('inputs = "', 'inputs = "0'))
    assert reached(ws, "orch.lock") == ((), [])


def test_a_constraint_reaches_the_images_that_hold_its_package(ws: Path) -> None:
    write_tree(ws, {"constraints.txt": "numpy<8\nflask<9\n"})
    assert reached(ws, "constraints.txt") == (("b",), [])
    write_tree(ws, {"constraints.txt": "# why\nflask<8\n\nNumPy<9\n"})
    assert reached(ws, "constraints.txt") == ((), [])


def test_a_constraint_that_went_reaches_the_images_that_hold_its_package(ws: Path) -> None:
    write_tree(ws, {"constraints.txt": "flask<9\n"})
    assert reached(ws, "constraints.txt") == (("b",), [])


@pytest.mark.parametrize("path", ["orch.lock", "constraints.txt"])
def test_what_is_committed_already_reaches_every_recipe_and_says_so(ws: Path, path: str) -> None:
    names, warnings = reached(ws, path)
    assert names == EVERY_RECIPE
    assert "it is as it was committed" in warnings[0]


@pytest.mark.parametrize("path", ["orch.lock", "constraints.txt"])
def test_a_lost_file_reaches_every_recipe_and_says_so(ws: Path, path: str) -> None:
    (ws / path).unlink()
    names, warnings = reached(ws, path)
    assert names == EVERY_RECIPE
    assert warnings


def test_no_commit_to_compare_with_means_every_recipe_and_says_so(
    ws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ws.parent / ".git").rename(ws.parent / "gone")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(ws.parent.parent))
    lock(ws, numpy="2.0")
    names, warnings = reached(ws, "orch.lock")
    assert names == EVERY_RECIPE
    assert warnings == [
        "orch.lock: git has no last commit with orch.lock; every recipe's image is listed"
    ]


def test_a_lock_in_the_midst_of_a_merge_reaches_every_recipe_and_says_so(ws: Path) -> None:
    (ws / "orch.lock").write_text("<<<<<<<")
    names, warnings = reached(ws, "orch.lock")
    assert names == EVERY_RECIPE
    assert "not valid TOML" in warnings[0]


def test_an_included_file_of_constraints_that_comes_reaches_every_recipe(ws: Path) -> None:
    write_tree(ws, {"constraints.txt": "NumPy<9\nflask<9\n-r more.txt\n", "more.txt": "numpy<8\n"})
    names, warnings = reached(ws, "constraints.txt")
    assert names == EVERY_RECIPE
    assert "-r" in warnings[0]
    assert reached(ws, "more.txt")[0] == EVERY_RECIPE


def test_the_settings_reach_every_image(ws: Path) -> None:
    assert set(reached(ws, "orch.toml")[0]) == {"a", "b", "d", "s"}
