"""What is sent to the workers of a cluster, and what they do with it."""

from __future__ import annotations

import errno
import os
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from unittest.mock import Mock

import distributed
import pytest

from orchestrator.app.opened import open_workspace
from orchestrator.app.planning import BuildOptions, plan
from orchestrator.cluster.client import resources_of
from orchestrator.cluster.job import Job, run_job
from orchestrator.cluster.parcel import Parcel
from orchestrator.cluster.work import carry_out
from orchestrator.errors import OrchError, WorkspaceError
from orchestrator.fingerprint import Fingerprint
from orchestrator.plan import Action, Step
from orchestrator.workspace import read_workspace
from tests.helpers import AMD64, ROOT, write_tree, write_workspace
from tests.machines import Machine, first_machine


@pytest.fixture
def first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Machine]:
    with first_machine(tmp_path, monkeypatch, capsys) as machine:
        yield machine


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = '[[files]]\nfrom = "//shared"\nto = "/shared"\n'
    root = write_workspace(tmp_path / "ws", {"base/a": f'from = "{ROOT}"\n{files}'})
    write_tree(
        root,
        {
            ".gitignore": "made/\n.orch\nelsewhere\n",
            "base/a/made/x": "ignored, and in an image's folder\n",
            "shared/made/y": "ignored, and what a recipe copies\n",
            "elsewhere/z": "ignored, and of no image\n",
            "notes/n": "untracked\n",
            ".orch/state": "of this machine\n",
        },
    )
    (root / "base/a/run").write_text("#!/bin/sh\n")
    (root / "base/a/run").chmod(0o755)
    (root / "base/a/link").symlink_to("made")
    return root


def with_git(root: Path) -> None:
    subprocess.run(["git", "init", "--quiet", root], check=True)
    subprocess.run(["git", "-C", root, "add", "."], check=True)


def unpacked(root: Path, below: Path) -> dict[str, str]:
    place = Parcel.of(read_workspace(root)).unpack(below)
    paths = (path for path in place.rglob("*") if path.is_symlink() or path.is_file())
    return {str(path.relative_to(place)): str(path.lstat().st_mode & 0o111) for path in paths}


def test_a_parcel_has_what_git_does_not_ignore_and_all_that_images_are_made_of(
    root: Path, tmp_path: Path
) -> None:
    with_git(root)
    found = unpacked(root, tmp_path / "there")
    assert set(found) == {
        ".gitignore",
        "orch.toml",
        "base/a/image.toml",
        "base/a/link",
        "base/a/made/x",
        "base/a/run",
        "shared/made/y",
        "notes/n",
    }
    assert found["base/a/run"] != found["base/a/made/x"]


def test_without_git_a_parcel_has_all_but_the_state(root: Path, tmp_path: Path) -> None:
    found = set(unpacked(root, tmp_path / "there"))
    assert "elsewhere/z" in found
    assert not any(path.startswith(".orch") for path in found)


def test_equal_files_make_equal_parcels_and_others_others(root: Path) -> None:
    workspace = read_workspace(root)
    before = Parcel.of(workspace)
    (root / "notes/n").touch()
    assert Parcel.of(workspace) == before
    (root / "notes/n").write_text("other\n")
    assert Parcel.of(workspace).digest != before.digest


def test_a_parcel_is_unpacked_once(root: Path, tmp_path: Path) -> None:
    parcel = Parcel.of(read_workspace(root))
    place = parcel.unpack(tmp_path / "there")
    (place / "notes/n").write_text("changed there")
    assert parcel.unpack(tmp_path / "there") == place
    assert (place / "notes/n").read_text() == "changed there"


def job_of(machine: Machine, name: str) -> Job:
    planned = plan(open_workspace(machine.tiny.root), BuildOptions(AMD64))
    return Job("run", name, AMD64.key, planned.plan.steps[name].fingerprint.digest)


def test_a_job_publishes_an_image_under_the_tag_of_its_content_alone(first: Machine) -> None:
    job = job_of(first, "python-base")
    for status in ("built", "reused"):
        result = carry_out({**asdict(job), "root": str(first.tiny.root)})
        assert (result["status"], result["fingerprint"]) == (status, job.fingerprint)
        (tag,) = [tag for _, tag in first.registry.tags if not tag.startswith("pk-")]
        assert tag.startswith("fp-")
        assert first.tag("python-base", tag) == result["digest"]


def test_a_job_whose_files_are_not_those_of_the_client_publishes_nothing(first: Machine) -> None:
    job = {**asdict(job_of(first, "python-base")), "root": str(first.tiny.root)}
    with pytest.raises(OrchError, match="is not on the worker what it is here"):
        carry_out({**job, "fingerprint": "0" * 64})
    assert not first.registry.tags


def test_a_job_without_its_parent_in_the_registry_says_so(first: Machine) -> None:
    job = {**asdict(job_of(first, "worker")), "root": str(first.tiny.root)}
    with pytest.raises(WorkspaceError, match=r"python-base \(below worker\)"):
        carry_out(job)


def test_a_job_is_not_tried_unless_all_parents_are_there(root: Path) -> None:
    parcel = Parcel.of(read_workspace(root))
    job = Job("run", "a", AMD64.key, "f")
    for status in ("failed", "unavailable", None):
        assert run_job(job, parcel, {"status": "built"}, {"status": status}) == {}


def test_a_worker_without_room_for_the_files_is_named(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"{tmp_path}/x")

    worker = Mock(local_directory=str(tmp_path), address="tcp://full:1")
    monkeypatch.setattr(distributed, "get_worker", lambda: worker)
    monkeypatch.setattr(tarfile.TarFile, "extractall", refuse)
    result = run_job(Job("run", "a", AMD64.key, "f"), Parcel.of(read_workspace(root)))
    assert result["status"] == "failed"
    assert (
        result["error"]["message"] == f"no space left while writing {tmp_path}/x (on tcp://full:1)"
    )
    assert "free some space" in result["error"]["hint"]
    assert list((tmp_path / "orch-workspaces").iterdir()) == []


@pytest.mark.parametrize(
    ("platforms", "expected"),
    [("", {"docker": 1.0}), ('"linux/arm64"', {"docker": 1.0, "amd64": 1.0})],
)
def test_dockerfiles_take_docker_and_of_several_platforms_their_own(
    tmp_path: Path, platforms: str, expected: dict[str, float]
) -> None:
    settings = f'platforms = ["linux/amd64", {platforms}]\n[debian]\nessential = []\n'
    files = {"base/a/Dockerfile": "FROM scratch\n", "services/b/image.toml": 'from = "a"\n'}
    write_tree(tmp_path, {"orch.toml": settings, **files})
    workspace = read_workspace(tmp_path)
    built, recipe = (
        Step(workspace.images[name], AMD64, 0, Action.BUILD, Fingerprint.of([])) for name in "ab"
    )
    assert resources_of(built, workspace.settings) == expected
    assert resources_of(recipe, workspace.settings) == {}
