"""The images of this repository, as its recipes define them and `orch` makes them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.real.docker_engine import DockerEngine
from tests.real.parts import REPOSITORY

LAYOUT = REPOSITORY / ".orch/layout"

_UNAVAILABLE = 3
_TORCH = "python-ml-torch"


class UnavailableImageError(Exception):
    """An image cannot be made on this machine."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} is unavailable: {why}")
        self.name = name


def skip_unavailable(unavailable: UnavailableImageError) -> NoReturn:
    """Skip what needs torch's CPU build, which no default index has; the rest must be made."""
    is_excused = any(folder.name == _TORCH for folder, _ in read_chain(unavailable.name))
    if os.environ.get("ORCH_REQUIRE_REAL") == "1" and not is_excused:
        pytest.fail(str(unavailable))
    pytest.skip(str(unavailable))


def find_images(*folders: str) -> list[str]:
    """Return the names of the images that are defined below folders of the repository."""
    files = [file for folder in folders for file in (REPOSITORY / folder).glob("*/image.toml")]
    return sorted(file.parent.name for file in files)


def read_chain(name: str) -> list[tuple[Path, dict[str, Any]]]:
    """Return the folder and recipe of an image and of all it stands on, the image first."""
    for folder in (REPOSITORY / "base" / name, REPOSITORY / "services" / name):
        if (folder / "image.toml").is_file():
            recipe = tomllib.loads((folder / "image.toml").read_text())
            return [(folder, recipe), *read_chain(recipe["from"])]
    return []


def system_packages(name: str) -> set[str]:
    """Return the Debian packages that an image and its parents ask for."""
    recipes = [recipe for _, recipe in read_chain(name)]
    return {
        package for recipe in recipes for package in recipe.get("system", {}).get("packages", [])
    }


def requirements(name: str) -> list[str]:
    """Return the Python requirements of an image and its parents, without comments."""
    files = [folder / "requirements.txt" for folder, _ in read_chain(name)]
    lines = [line for file in files if file.is_file() for line in file.read_text().splitlines()]
    return [line for line in lines if line.strip() and not line.lstrip().startswith(("#", "-"))]


def copy_reference(to: Path) -> Path:
    """Copy what the images are made of, so that its settings can differ; return the copy."""
    for name in ("base", "services"):
        shutil.copytree(REPOSITORY / name, to / name, symlinks=True)
    for name in ("orch.toml", "orch.lock", "constraints.txt"):
        shutil.copy(REPOSITORY / name, to / name)
    return to


def run_orch(root: Path, *arguments: str) -> str:
    """Run `orch` in a workspace, where it must end well; return what it prints."""
    command = [str(Path(sys.executable).with_name("orch")), "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def build_image(name: str) -> None:
    """Bring an image in the layout up to date.

    Raises:
        UnavailableImageError: This machine cannot make it.
        AssertionError: Building fails; what `orch` says is in the message.
    """
    _build(name)


def load_image(engine: DockerEngine, name: str) -> None:
    """Bring an image up to date and into an engine, under its name.

    Raises:
        UnavailableImageError: This machine cannot make it.
        AssertionError: Building or loading fails; what `orch` says is in the message.
    """
    _build(name, "--load", environment=dict(engine.environment()))


def _build(name: str, *options: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        [
            Path(sys.executable).with_name("orch"),
            "-C",
            REPOSITORY,
            "build",
            name,
            "--relock-missing",
            *options,
        ],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == _UNAVAILABLE:
        raise UnavailableImageError(name, done.stderr.strip())
    assert done.returncode == 0, f"orch build {name}: {done.stderr[-4000:]}"
