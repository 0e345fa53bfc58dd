"""What this machine's buildx and Docker engine can do, and what they lack."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engines.docker.engine import EngineVersion
from orchestrator.errors import MissingToolError

_PLUGINS = tuple(
    f"/usr/{folder}/docker/cli-plugins"
    for folder in ("local/lib", "local/libexec", "lib", "libexec")
)
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
        """
        return cls(named_contexts=version.api >= _NAMED_CONTEXTS_API)


def find_buildx(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the words that run buildx: the plugin itself where it is found.

    Started by `docker` it costs another process, which counts with hundreds of images.

    Raises:
        MissingToolError: It is missing or too old: before 0.13 it does not tell progress as JSON.
    """
    given = environment.get("DOCKER_CONFIG")
    own = Path(given) if given else Path.home() / ".docker"
    folders = [own / "cli-plugins", *map(Path, _PLUGINS)]
    places = [folder / "docker-buildx" for folder in folders]
    found = next((str(place) for place in places if os.access(place, os.X_OK)), None)
    words = (found,) if found else ("docker", "buildx")
    _check_version(words)
    return words


def _check_version(words: Sequence[str]) -> None:
    hint = "install Docker's buildx plugin, 0.13 or newer; recipes need neither"
    try:
        done = subprocess.run(
            [*words, "version"], capture_output=True, text=True, check=False, timeout=_ASKING_S
        )
    except FileNotFoundError as error:
        raise MissingToolError("there is no docker command and no buildx", hint=hint) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingToolError(f"buildx cannot be run: {error}", hint=hint) from error
    found = re.search(r"(\d+)\.(\d+)(?:\.\d+)?", done.stdout)
    if done.returncode or not found:
        raise MissingToolError("docker has no buildx plugin", hint=hint)
    if (int(found[1]), int(found[2])) < _BUILDX:
        raise MissingToolError(f"buildx {found[0]} is too old", hint=hint)
