"""Checks of what builds Dockerfiles: the Docker engine and buildx."""

from __future__ import annotations

from contextlib import closing

from orchestrator.engines.buildkit.capabilities import Capabilities, find_buildx
from orchestrator.engines.docker.engine import DockerEngine, EngineVersion
from orchestrator.errors import OrchError
from orchestrator.fitness.finding import Finding, fail, ok, warn


def check_docker() -> Finding:
    """Check that a Docker engine answers, and which."""
    try:
        with closing(DockerEngine()) as engine:
            return judge_engine(engine.version(), engine.address.url)
    except OrchError as error:
        return fail("docker", error.message, error.hint)


def judge_engine(version: EngineVersion, url: str) -> Finding:
    """Judge an engine by its version."""
    if version.is_podman:
        hint = "run buildkitd and name it with --builder, or set DOCKER_HOST to a Docker engine"
        return fail("docker", f"{url} is Podman's socket, which has no BuildKit", hint)
    if not Capabilities.of(version).named_contexts:
        hint = "update it to 23 or newer: named contexts make its builds surer"
        return warn("docker", f"Docker {version.version} at {url} is old", hint)
    return ok("docker", f"Docker {version.version} at {url}, {version.platform}")


def check_buildx() -> Finding:
    """Check that buildx is there, and new enough."""
    try:
        words = find_buildx()
    except OrchError as error:
        return fail("buildx", error.message, error.hint)
    return ok("buildx", " ".join(words))
