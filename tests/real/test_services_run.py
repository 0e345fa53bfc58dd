"""Every service of this repository runs as it is deployed: read-only, not as root, stoppable."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import docker
import httpx
import pytest
from docker.models.containers import Container

from tests.real.containers import address_of, run_detached, wait_until_healthy
from tests.real.docker_engine import DockerEngine

STOP_WITHIN_S = 10
UID = "1000"
FAILED_WRITE = re.compile(r"read-only file ?system|permission denied|EROFS", re.IGNORECASE)


@pytest.fixture(scope="module")
def running(
    docker_engine: DockerEngine,
    client: docker.DockerClient,
    load: Callable[[DockerEngine, str], None],
    service: str,
) -> Iterator[Container]:
    load(docker_engine, service)
    with run_detached(client, service) as container:
        yield container


def address(container: Container, path: str) -> str:
    port = next(iter(container.attrs["Config"]["ExposedPorts"])).removesuffix("/tcp")
    return f"http://{address_of(container)}:{port}{path}"


def test_service_on_a_read_only_root_answers_health(running: Container) -> None:
    assert wait_until_healthy(address(running, "/health"), running).status_code == 200


def test_healthy_service_is_live(running: Container) -> None:
    wait_until_healthy(address(running, "/health"), running)
    assert wait_until_healthy(address(running, "/health/live"), running).status_code == 200


def test_readiness_names_components(running: Container) -> None:
    wait_until_healthy(address(running, "/health"), running)
    answer = httpx.get(address(running, "/health/ready"), timeout=10, trust_env=False)
    assert answer.status_code in {200, 503}
    assert "components" in answer.json()


def test_every_process_of_a_service_is_unprivileged(running: Container) -> None:
    wait_until_healthy(address(running, "/health"), running)
    rows: list[list[str]] = running.top(ps_args="-eo pid,uid")["Processes"]
    assert {uid for _, uid in rows} == {UID}


def test_service_has_a_user_name(running: Container) -> None:
    result = running.exec_run(["/opt/venv/bin/python", "-c", "import getpass; getpass.getuser()"])
    assert (result.exit_code, result.output) == (0, b"")


def test_service_logs_no_failed_write(running: Container) -> None:
    wait_until_healthy(address(running, "/health"), running)
    assert FAILED_WRITE.findall(running.logs().decode(errors="replace")) == []


def test_healthcheck_of_the_image_passes(running: Container) -> None:
    wait_until_healthy(address(running, "/health"), running)
    test: list[str] = running.attrs["Config"]["Healthcheck"]["Test"]
    command = test[1:] if test[0] == "CMD" else ["/bin/sh", "-c", test[1]]
    result = running.exec_run(command)
    assert result.exit_code == 0, result.output


def test_service_stops_on_sigterm(
    docker_engine: DockerEngine,
    client: docker.DockerClient,
    load: Callable[[DockerEngine, str], None],
    service: str,
) -> None:
    load(docker_engine, service)
    with run_detached(client, service) as container:
        wait_until_healthy(address(container, "/health"), container)
        container.kill(signal="SIGTERM")
        status = container.wait(timeout=STOP_WITHIN_S)["StatusCode"]
    assert status in {0, 143}  # 143: ended by the signal itself
