"""Runs containers for tests, and waits for what they do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
import httpx
from docker.models.containers import Container

HEALTHY_WITHIN_S = 30


@contextmanager
def run_detached(client: docker.DockerClient, image: str, **options: Any) -> Iterator[Container]:
    """Run an image read-only but for /tmp, as deployments do; remove the container after."""
    container = client.containers.run(
        image, detach=True, read_only=True, tmpfs={"/tmp": ""}, **options
    )
    try:
        container.reload()
        yield container
    finally:
        container.remove(force=True, v=True)


def address_of(container: Container) -> str:
    """Return the container's address on its engine's bridge."""
    networks = container.attrs["NetworkSettings"]["Networks"]
    return str(networks["bridge"]["IPAddress"])


def wait_until_healthy(url: str, container: Container) -> httpx.Response:
    """Return the first answer 200 of a URL.

    Raises:
        AssertionError: The container ends before that, or 30 s pass; its log is in the message.
    """
    deadline = time.monotonic() + HEALTHY_WITHIN_S
    answer = "no answer"
    while time.monotonic() < deadline:
        container.reload()
        if container.status == "exited":
            break
        try:
            response = httpx.get(url, timeout=5, trust_env=False)
        except httpx.TransportError as error:
            answer = str(error)
            time.sleep(0.1)
            continue
        if response.status_code == 200:
            return response
        answer = f"{response.status_code} {response.text[:200]}"
        time.sleep(0.1)
    log = container.logs().decode(errors="replace")[-4000:]
    raise AssertionError(f"{url}: {answer}; container {container.status}, its log:\n{log}")
