"""The example of plain Dockerfiles, made buildable with neither a registry nor a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pip

from tests.real.docker_engine import DockerEngine
from tests.real.parts import REPOSITORY
from tests.real.reference import load_image

EXAMPLE = REPOSITORY / "examples/dockerfiles"
ROOT = "python:3.11-slim-bookworm"

_ROOT_DOCKERFILE = """\
FROM python-base
ENV PATH=/usr/local/bin:/usr/bin:/bin \\
    PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore \\
    PIP_NO_COMPILE=1 PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels
COPY wheels /wheels
COPY pip /usr/local/lib/python3.11/dist-packages/pip
RUN ln -s /usr/bin/python3.11 /usr/local/bin/python \\
 && echo '#!/bin/sh' > /usr/local/bin/pip && chmod 755 /usr/local/bin/pip \\
 && echo 'exec python -m pip "$@"' >> /usr/local/bin/pip
"""
"""Debian's Python and pip, as the public image has them, and all wheels that are asked for."""


def load_root(engine: DockerEngine, scratch: Path) -> None:
    """Bring into an engine, under its public name, what the example stands on."""
    load_image(engine, "python-base")
    without_bytecode = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(pip.__file__).parent, scratch / "pip", ignore=without_bytecode)
    download = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    pinned = ["-r", str(EXAMPLE / "constraints.txt"), "-d", str(scratch / "wheels")]
    subprocess.run([*download, *pinned], check=True, capture_output=True)
    (scratch / "Dockerfile").write_text(_ROOT_DOCKERFILE)
    docker(engine, "build", "--quiet", "--tag", ROOT, str(scratch))


def docker(engine: DockerEngine, *words: str, cwd: Path | None = None) -> str:
    """Run docker's client against an engine and return what it prints.

    Raises:
        AssertionError: It fails; what it says is in the message.
    """
    return _run([engine.folder / "bin/docker", *words], engine, cwd)


def orch(engine: DockerEngine, root: Path, *words: str | Path) -> str:
    """Run `orch` on a workspace, with an engine, and return what it prints.

    Raises:
        AssertionError: It fails; what it says is in the message.
    """
    return _run([Path(sys.executable).with_name("orch"), "-C", root, *words], engine, root)


def _run(command: list[str | Path], engine: DockerEngine, cwd: Path | None) -> str:
    environment = {**os.environ, **engine.environment()}
    done = subprocess.run(
        command, env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr[-4000:]}"
    return done.stdout
