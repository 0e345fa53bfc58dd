"""What this machine's buildx and Docker engine can do, and what they lack."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from orchestrator.engines.docker.engine import EngineVersion
from orchestrator.errors import MissingToolError

DOCKER = ("docker", "buildx")
_BUILDX = (0, 13)
_NAMED_CONTEXTS_API = (1, 42)
_ASKING_S = 60


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do; without named contexts siblings are found by their tags."""

    named_contexts: bool

    @classmethod
    def of(cls, version: EngineVersion) -> Capabilities:
        """Return what an engine of a version can do.

        Named contexts came with Dockerfile frontend 1.4, which engine 23 (API 1.42) has.

        Raises:
            MissingToolError: It is Podman, whose socket has no BuildKit.
        """
        if version.is_podman:
            raise MissingToolError(
                "this is Podman's socket, which does not speak BuildKit's protocol",
                hint="run buildkitd and name it with --builder, or set DOCKER_HOST to a Docker "
                "engine; Podman loads and runs images that are built elsewhere",
            )
        return cls(named_contexts=version.api >= _NAMED_CONTEXTS_API)


def check_buildx() -> None:
    """Make sure that buildx is there, and new enough to tell its progress as JSON.

    Raises:
        MissingToolError: It is missing or too old.
    """
    hint = "install Docker's buildx plugin, 0.13 or newer; recipes need neither"
    try:
        done = subprocess.run(
            [*DOCKER, "version"], capture_output=True, text=True, check=False, timeout=_ASKING_S
        )
    except FileNotFoundError as error:
        raise MissingToolError("there is no docker command", hint=hint) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingToolError(f"docker buildx cannot be run: {error}", hint=hint) from error
    found = re.search(r"(\d+)\.(\d+)(?:\.\d+)?", done.stdout)
    if done.returncode or not found:
        raise MissingToolError("docker has no buildx plugin", hint=hint)
    if (int(found[1]), int(found[2])) < _BUILDX:
        raise MissingToolError(f"buildx {found[0]} is too old", hint=hint)
