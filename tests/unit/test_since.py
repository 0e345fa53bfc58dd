"""`--since REV`: what differs from where a branch parted, and everything where git cannot tell."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.app.opened import open_workspace
from orchestrator.app.planning import BuildOptions, Planned, plan
from orchestrator.select import Selection
from tests.helpers import AMD64, ROOT, write_lock, write_tree, write_workspace

EVERYTHING = ("a", "b", "s")


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True)


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    """Write a workspace in a folder of a repository, with a commit on main and one on a branch."""
    root = write_workspace(
        tmp_path / "repo" / "images",
        {
            "base/a": f'from = "{ROOT}"\n[[files]]\nfrom = "src"\nto = "/app"\n',
            "base/b": f'from = "{ROOT}"\n',
            "services/s": 'from = "a"\n',
        },
    )
    write_tree(root, {"base/a/src/x.txt": "x"})
    write_lock(root)
    git(root.parent, "init", "-q", "-b", "main")
    commit(root, "first")
    git(root, "checkout", "-q", "-b", "work")
    return root


def commit(root: Path, message: str) -> None:
    git(root.parent, "add", "-A")
    git(root.parent, "commit", "-q", "-m", message)


def since(root: Path, revision: str) -> Planned:
    return plan(open_workspace(root), BuildOptions(AMD64, Selection(since=revision)))


def test_nothing_is_chosen_when_nothing_changed(ws: Path) -> None:
    planned = since(ws, "main")
    assert planned.notes == ()
    assert planned.wanted == ()


def test_a_commit_chooses_what_it_reaches(ws: Path) -> None:
    write_tree(ws, {"base/a/src/x.txt": "y"})
    commit(ws, "change")
    assert since(ws, "main").wanted == ("a", "s")


def test_a_change_that_is_not_committed_counts(ws: Path) -> None:
    write_tree(ws, {"base/a/src/untracked.txt": "y"})
    assert since(ws, "main").wanted == ("a", "s")


def test_a_change_on_the_other_branch_does_not_count(ws: Path) -> None:
    git(ws, "checkout", "-q", "main")
    write_tree(ws, {"base/a/src/x.txt": "y"})
    commit(ws, "theirs")
    git(ws, "checkout", "-q", "work")
    assert since(ws, "main").wanted == ()


def test_an_edit_that_selects_the_same_is_no_change(ws: Path) -> None:
    write_tree(ws, {"base/b/image.toml": f'# why\nfrom = "{ROOT}"\n', "README.md": "x"})
    commit(ws, "comment")
    assert since(ws, "main").wanted == ()


def test_a_revision_that_git_does_not_know_chooses_everything_and_says_so(ws: Path) -> None:
    planned = since(ws, "gone")
    assert planned.wanted == EVERYTHING
    assert "git knows no revision 'gone'" in planned.notes[0]
    assert "every image is selected" in planned.notes[0]


def test_a_branch_without_common_commit_chooses_everything_and_says_so(ws: Path) -> None:
    git(ws, "checkout", "-q", "--orphan", "island")
    commit(ws, "elsewhere")
    planned = since(ws, "main")
    assert planned.wanted == EVERYTHING
    assert "no commit common with 'main'" in planned.notes[0]


def test_a_shallow_clone_chooses_everything_and_says_so(ws: Path, tmp_path: Path) -> None:
    write_tree(ws, {"README.md": "x"})
    commit(ws, "second")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{ws.parent}", str(clone))
    planned = since(clone / "images", "main")
    assert planned.wanted == EVERYTHING
    assert "the clone being shallow" in planned.notes[0]


def test_no_repository_chooses_everything_and_says_so(
    ws: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    shutil.rmtree(ws.parent / ".git")
    planned = since(ws, "main")
    assert planned.wanted == EVERYTHING
    assert planned.notes


def test_an_unsound_workspace_at_the_merge_base_chooses_everything(ws: Path) -> None:
    git(ws, "checkout", "-q", "main")
    lock = (ws / "orch.lock").read_text()
    (ws / "orch.lock").write_text("<<<<<<<")
    commit(ws, "broken")
    git(ws, "checkout", "-q", "-B", "work")
    (ws / "orch.lock").write_text(lock)
    planned = since(ws, "main")
    assert planned.wanted == EVERYTHING
    assert "is not sound" in planned.notes[0]


def test_a_commit_without_settings_is_not_taken_for_what_the_cache_lies_in(
    ws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCH_CACHE", str(ws / ".cache"))
    settings = (ws / "orch.toml").read_text()
    git(ws, "checkout", "-q", "main")
    (ws / "orch.toml").unlink()
    commit(ws, "none yet")
    git(ws, "checkout", "-q", "-B", "work")
    (ws / "orch.toml").write_text(settings)
    planned = since(ws, "main")
    assert planned.wanted == EVERYTHING
    assert "is not sound: there is no orch.toml" in planned.notes[0]


def test_looking_back_leaves_index_and_working_tree_as_they_are(ws: Path) -> None:
    write_tree(ws, {"base/a/src/staged.txt": "y"})
    git(ws, "add", "-A")
    write_tree(ws, {"base/a/src/staged.txt": "z"})
    before = subprocess.check_output(["git", "-C", str(ws), "status", "--porcelain"])
    since(ws, "main")
    assert subprocess.check_output(["git", "-C", str(ws), "status", "--porcelain"]) == before
