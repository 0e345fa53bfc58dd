"""The script that calls a build backend, run by a Python of its own as in a container."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engines.docker import hook_worker
from orchestrator.errors import ArtifactError
from orchestrator.wheelhouse.sdist import read_backend

_BACKEND = """
import json, os, sys
class Hooks:
    def build_wheel(self, folder, config_settings=None, metadata_directory=None):
        said = {"folder": folder, "cwd": os.getcwd(), "path": sys.path, "env": dict(os.environ)}
        print(json.dumps(said))
hooks = Hooks()
"""


def run(folder: Path, backend: str, paths: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the script for a backend in `folder/src/inner`."""
    (folder / "src/inner").mkdir(parents=True)
    (folder / "src/inner/backend.py").write_text(_BACKEND)
    job = {
        "python": sys.executable,
        "env": {"MODE": "fast", "LC_ALL": "C.UTF-8"},
        "source": str(folder / "src"),
        "backend": backend,
        "backend-path": [str(folder / "src" / path) for path in paths],
        "out": "/out",
    }
    (folder / "hook.py").write_bytes(Path(hook_worker.__file__).read_bytes())
    (folder / "job.json").write_text(json.dumps(job))
    command: list[str | Path] = [sys.executable, folder / "hook.py", folder / "job.json"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_backend_runs_in_the_source_with_the_jobs_environment_alone(tmp_path: Path) -> None:
    done = run(tmp_path, "backend:hooks", ["inner"])
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["folder"] == "/out"
    assert said["cwd"] == str(tmp_path / "src")
    assert said["env"] == {"MODE": "fast", "LC_ALL": "C.UTF-8"}
    assert said["path"][0] == str(tmp_path / "src/inner")
    assert not {str(tmp_path), str(tmp_path / "src"), ""} & set(said["path"])


def test_a_backend_that_is_not_there_ends_with_what_is_missing(tmp_path: Path) -> None:
    done = run(tmp_path, "backend:hooks", [])
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'backend'" in done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ("setuptools.build_meta:__legacy__", ())),
        ("[project]\n", ("setuptools.build_meta:__legacy__", ())),
        ('[build-system]\nbuild-backend = "hatchling.build"\n', ("hatchling.build", ())),
        (
            '[build-system]\nbuild-backend = "b:c.d"\nbackend-path = ["x"]\n',
            ("b:c.d", ("x",)),
        ),
    ],
)
def test_the_backend_is_the_one_that_the_sdist_names(
    tmp_path: Path, text: str | None, expected: tuple[str, tuple[str, ...]]
) -> None:
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    assert read_backend(tmp_path) == expected


@pytest.mark.parametrize("text", ["not TOML", "build-system = 1\n"])
def test_a_pyproject_that_cannot_be_read_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ArtifactError, match="cannot be used"):
        read_backend(tmp_path)
