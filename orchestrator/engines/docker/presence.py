"""Which images of ours a Docker engine has: one question, asked without the docker package.

Importing that takes longer than a whole build with nothing to do.
"""

from __future__ import annotations

import json
import socket
from urllib.parse import quote

from orchestrator.engines.docker.address import Address, find_address
from orchestrator.errors import MissingToolError

OURS = "orch.local"
"""The registry's name under which images made here are tagged, so that they are told apart."""

_TIMEOUT_S = 30


def private_tag(name: str, digest: str) -> str:
    """Return the tag under which an image is kept: its digest in the engine is part of it."""
    return f"{OURS}/{name}:{digest.removeprefix('sha256:')}"


def read_present() -> frozenset[str]:
    """Ask the engine which images it keeps under private tags; return these tags.

    Raises:
        MissingToolError: No engine answers, or it is Podman, which cannot build Dockerfiles.
    """
    address = find_address()
    query = f"/images/json?filters={quote(json.dumps({'reference': [f'{OURS}/*']}))}"
    try:
        rows = _get(address, query)
        return frozenset(tag for row in rows for tag in row["RepoTags"] or ())
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = getattr(error, "strerror", None) or error
        hint = "start Docker, or set DOCKER_HOST or a docker context"
        message = f"no Docker engine answers at {address.url}: {why}"
        raise MissingToolError(message, hint=hint) from error


def _get(address: Address, query: str) -> list[dict[str, list[str] | None]]:
    if not address.socket:
        from orchestrator.engines.docker.engine import DockerEngine  # noqa: PLC0415 - slow

        engine = DockerEngine()
        try:
            if engine.version().is_podman:
                raise _podman(address)
            return [{"RepoTags": engine.tags(OURS)}]
        finally:
            engine.close()
    # HTTP/1.0: the answer ends where the connection does, and is never chunked.
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_TIMEOUT_S)
        connection.connect(address.socket)
        connection.sendall(f"GET {query} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        with connection.makefile("rb") as stream:
            status = stream.readline().decode()
            is_podman = False
            while header := stream.readline().strip():
                is_podman = is_podman or header.lower().startswith(b"libpod-api-version:")
            body = stream.read()
    if is_podman:
        raise _podman(address)
    if " 200 " not in status:
        raise ValueError(f"{status.strip()} {body[:200]!r}")
    found: list[dict[str, list[str] | None]] = json.loads(body)
    return found


def _podman(address: Address) -> MissingToolError:
    return MissingToolError(
        f"{address.url} is Podman's socket, which has no BuildKit",
        hint="run buildkitd and name it with --builder, or set DOCKER_HOST to a Docker engine",
    )
