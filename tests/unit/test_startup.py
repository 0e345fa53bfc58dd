"""A build with nothing to do imports little: it must end before anybody notices."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT, write_lock, write_tree, write_workspace

ALLOWED = {"click", "packaging"}
"""What is not of the standard library and may be imported; nobody adds to it lightly."""

HEAVY = {"asyncio", "email.mime", "http.client", "multiprocessing.pool", "ssl", "urllib.request"}
"""Parts of the standard library that take long to import."""

_SCRIPT = """
import sys
before = set(sys.modules)  # what the start of the interpreter itself brings, and .pth files
from orchestrator.cli import main
try:
    main(sys.argv[1:])
finally:
    print("imported:", *(set(sys.modules) - before), sep="\\n")
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = "[[files]]\nfrom = 'src'\nto = '/app'\n"
    recipes = {"base/a": f'from = "{ROOT}"\n{files}', "services/b": 'from = "a"\n'}
    root = write_workspace(tmp_path / "ws", recipes)
    write_tree(root, {"base/a/src/x": "x", "services/b/requirements.txt": "alpha>=1\n"})
    write_lock(root)
    return root


def imported(root: Path, *verb: str) -> set[str]:
    """Run a verb in the workspace and return the modules that it imported."""
    command = [sys.executable, "-c", _SCRIPT, "-C", str(root), *verb]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.partition("imported:")[2].split())


def third_party(modules: set[str]) -> set[str]:
    tops = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    return {name for name in tops if not name.startswith("_")} - {"orchestrator"}


def test_a_build_with_nothing_to_do_imports_no_library_but_these(
    root: Path, orch_cache: Path
) -> None:
    assert third_party(imported(root, "build")) - ALLOWED, "this build has something to do"
    modules = imported(root, "build")
    assert third_party(modules) <= ALLOWED
    assert not modules & HEAVY
    assert not {name for name in modules if name.startswith("orchestrator.engines")}


def test_a_plan_of_dockerfiles_asks_docker_without_its_package(
    tmp_path: Path, orch_cache: Path
) -> None:
    write_tree(tmp_path, {"orch.toml": "", "base/a/Dockerfile": "FROM scratch\n"})
    modules = imported(tmp_path, "plan")
    assert third_party(modules) <= ALLOWED
    assert not modules & HEAVY
    asking = {"docker", "docker.address", "docker.presence"}
    engines = {name for name in modules if name.startswith("orchestrator.engines.")}
    assert engines == {f"orchestrator.engines.{name}" for name in asking}


def test_a_plan_imports_no_library_but_these(root: Path, orch_cache: Path) -> None:
    modules = imported(root, "plan")
    assert third_party(modules) <= ALLOWED
    assert not modules & HEAVY


def test_images_that_stand_in_order_are_not_sorted_by_a_library(
    tmp_path: Path, orch_cache: Path
) -> None:
    recipes = {"base/a": 'from = "b"\n', "base/b": f'from = "{ROOT}"\n'}
    assert "networkx" in imported(write_workspace(tmp_path / "mixed", recipes), "graph")
    recipes = {"base/a": f'from = "{ROOT}"\n', "base/b": 'from = "a"\n'}
    assert "networkx" not in imported(write_workspace(tmp_path / "sorted", recipes), "graph")
