"""Podman's socket: what of `orch` works with it, and what is said of the rest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from tests.conftest import required
from tests.helpers import write_tree
from tests.real import podman as podmans
from tests.real.site import ORCH

TREE = {
    "orch.toml": "[debian]\nessential = []\n",
    "base/tools/image.toml": (
        'from = "debian:bookworm"\n[config]\nentrypoint = ["/bin/busybox"]\n'
        '[[files]]\nfrom = "busybox"\nto = "/bin/busybox"\nmode = "0755"\n'
    ),
    "services/built/Dockerfile": "FROM scratch\nCOPY x /x\n",
    "services/built/x": "x\n",
    "services/above/image.toml": 'from = "built"\n',
}


@pytest.fixture(scope="module")
def podman() -> Iterator[str]:
    with required(podmans.podman()) as host:
        yield host


def run_orch(root: Path, host: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DOCKER_HOST": host, "ORCH_CACHE": str(root / "cache")}
    command: list[str | Path] = [ORCH, "-C", root, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def root(tmp_path: Path, podman: str, require_tool: Callable[[str], Path]) -> Path:
    """A workspace of a recipe, of a Dockerfile, and of a recipe on that."""
    write_tree(tmp_path, TREE)
    shutil.copyfile(require_tool("busybox"), tmp_path / "base/tools/busybox")
    assert run_orch(tmp_path, podman, "lock").returncode == 0
    return tmp_path


def test_recipes_are_built_and_loaded_into_podman_and_run_there(root: Path, podman: str) -> None:
    done = run_orch(root, podman, "build", "--load", "tools")
    assert done.returncode == 0, done.stderr
    client = docker.DockerClient(base_url=podman, timeout=60)
    try:
        ran = client.containers.run("tools", ["echo", "from podman"], detach=True)
        assert ran.wait()["StatusCode"] == 0
        assert ran.logs() == b"from podman\n"
        ran.remove()
    finally:
        client.close()


def test_dockerfiles_are_unavailable_and_what_podman_lacks_is_said(root: Path, podman: str) -> None:
    report = root / "report.json"
    done = run_orch(root, podman, "build", "--report", str(report))
    assert done.returncode == 0, done.stderr
    images = json.loads(report.read_bytes())["images"]
    assert {image["name"]: image["status"] for image in images} == {
        "tools": "built",
        "built": "unavailable",
        "above": "unavailable",
    }
    assert f"{podman} is Podman's socket, which has no BuildKit" in done.stderr
    assert run_orch(root, podman, "build", "built").returncode == 3
