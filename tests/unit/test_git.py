"""What git says of a workspace's commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orchestrator.git import NoComparisonError, commit_annotations, merge_base

REVISION = "org.opencontainers.image.revision"
CREATED = "org.opencontainers.image.created"
SOURCE = "org.opencontainers.image.source"


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_commit_is_annotated_with_its_id_and_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-01-02T03:04:05+00:00")
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "x")
    found = commit_annotations(tmp_path)
    assert found[REVISION] == git(tmp_path, "rev-parse", "HEAD")
    assert found[CREATED].startswith("2026-01-02T03:04:05")
    assert SOURCE not in found


@pytest.mark.parametrize(
    ("remote", "source"),
    [
        ("https://example.com/a/b.git", "https://example.com/a/b.git"),
        ("https://user:token@example.com/a/b.git", "https://example.com/a/b.git"),
        ("https://token@example.com/a/b@v1", "https://example.com/a/b@v1"),
        ("https://example.com/a@b/c", "https://example.com/a@b/c"),
        ("git@example.com:a/b.git", "git@example.com:a/b.git"),
    ],
)
def test_the_remote_is_annotated_without_credentials(
    tmp_path: Path, remote: str, source: str
) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "remote", "add", "origin", remote)
    assert commit_annotations(tmp_path) == {SOURCE: source}


def test_a_folder_that_is_no_repository_has_no_annotations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit_annotations(tmp_path) == {}


def test_a_machine_without_git_has_no_annotations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_annotations(tmp_path) == {}


def test_another_user_s_repository_is_named_as_that_with_the_way_to_trust_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(NoComparisonError, match="which is another user's") as raised:
        merge_base(tmp_path, "HEAD")
    assert raised.value.hint.endswith(f"--add safe.directory {tmp_path}")
