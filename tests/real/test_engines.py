"""The real parts start, do what the tests ask of them, and leave nothing behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import httpx
import pytest
from docker.errors import ImageNotFound

from tests.conftest import required
from tests.real import docker_engine as engines
from tests.real.containers import address_of, run_detached, wait_until_healthy
from tests.real.docker_engine import DockerEngine
from tests.real.tiny_image import make_archive

SERVE = ("httpd", "-f", "-p", "8080", "-h", "/www")


@pytest.fixture(scope="module")
def busybox(require_tool: Callable[[str], Path]) -> Path:
    return require_tool("busybox")


@contextmanager
def tiny_image(engine: DockerEngine, busybox: Path) -> Iterator[docker.DockerClient]:
    client = engine.client()
    try:
        client.images.load(make_archive("tiny", busybox, SERVE))
        yield client
    finally:
        client.close()


@pytest.fixture(scope="module")
def client(docker_engine: DockerEngine, busybox: Path) -> Iterator[docker.DockerClient]:
    with tiny_image(docker_engine, busybox) as loaded:
        yield loaded


def output_of(client: docker.DockerClient, *command: str, **options: object) -> str:
    output: bytes = client.containers.run("tiny", list(command), remove=True, **options)  # type: ignore[call-overload]
    return output.decode()


def test_engine_is_the_version_it_is_named_for(docker_engine: DockerEngine) -> None:
    client = docker_engine.client()
    version = client.version()["Version"]
    client.close()
    assert version.startswith(f"{docker_engine.version}.")


def test_layer_of_many_gzip_members_is_loaded_whole(client: docker.DockerClient) -> None:
    assert output_of(client, "cat", "/www/health") == "ok\n"


def test_read_only_container_writes_to_its_tmpfs_alone(client: docker.DockerClient) -> None:
    script = "touch /tmp/a && echo tmp; touch /www/a 2>/dev/null || echo refused; id -u"
    written = output_of(client, "sh", "-c", script, read_only=True, tmpfs={"/tmp": ""})
    assert written.split() == ["tmp", "refused", "1000"]


def test_container_is_reached_on_its_bridge_address(client: docker.DockerClient) -> None:
    with run_detached(client, "tiny") as container:
        wait_until_healthy(f"http://{address_of(container)}:8080/health", container)


def test_container_is_reached_on_a_published_port(client: docker.DockerClient) -> None:
    with run_detached(client, "tiny", ports={"8080/tcp": ("127.0.0.1", 0)}) as container:
        published = container.attrs["NetworkSettings"]["Ports"]["8080/tcp"][0]
        wait_until_healthy(f"http://127.0.0.1:{published['HostPort']}/health", container)


def test_engine_pushes_to_the_registry(client: docker.DockerClient, registry: str) -> None:
    client.images.get("tiny").tag(f"{registry}/tiny", "v1")
    pushed = list(client.images.push(f"{registry}/tiny", "v1", stream=True, decode=True))
    assert not [line for line in pushed if "error" in line]
    assert httpx.get(f"http://{registry}/v2/tiny/tags/list").json()["tags"] == ["v1"]


def test_docker_client_builds_with_the_engine(
    docker_engine: DockerEngine, client: docker.DockerClient, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM tiny\nUSER 0\nRUN echo built > /built\n")
    environment = {**os.environ, **docker_engine.environment()}
    command = ["docker", "buildx", "build", "--load", "--tag", "built", str(tmp_path)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert client.containers.run("built", ["cat", "/built"], remove=True) == b"built\n"


@pytest.mark.parametrize("version", engines.VERSIONS)
def test_stopped_engine_leaves_nothing_behind(version: str, busybox: Path) -> None:
    mounts_before = Path("/proc/self/mounts").read_text()
    with required(engines.docker_engine(version)) as engine:
        with tiny_image(engine, busybox) as client:
            data = Path(client.info()["DockerRootDir"])
            client.containers.run("tiny", detach=True, init=True)
        inside = processes_in_namespace_of(engine.process.pid)
        assert len(inside) >= 4  # docker-init, dockerd, containerd, a shim and its container
    assert data == Path("/var/lib/docker")
    assert [pid for pid in inside if Path(f"/proc/{pid}").exists()] == []
    assert Path("/proc/self/mounts").read_text() == mounts_before
    assert not engine.folder.exists()
    assert not Path("/sys/class/net", engine.bridge).exists()
    assert list(Path("/sys/fs/cgroup").rglob(engine.bridge)) == []


def processes_in_namespace_of(starter: int) -> list[int]:
    """Return the processes in the PID namespace that `unshare` made for its child."""
    wanted = Path(f"/proc/{starter}/ns/pid_for_children").readlink()
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _namespace(entry) == wanted
    ]


def _namespace(process: Path) -> Path | None:
    try:
        return (process / "ns/pid").readlink()
    except OSError:
        return None


def test_engines_run_side_by_side(docker26: DockerEngine, docker20: DockerEngine) -> None:
    clients = [docker26.client(), docker20.client()]
    ids = {client.info()["ID"] for client in clients}
    for client in clients:
        client.close()
    assert len(ids) == 2


def test_image_loaded_in_one_engine_is_unknown_to_another(
    docker26: DockerEngine, docker20: DockerEngine, busybox: Path
) -> None:
    with tiny_image(docker26, busybox) as client:
        client.images.get("tiny").tag("only-here")
    other = docker20.client()
    with pytest.raises(ImageNotFound):
        other.images.get("only-here")
    other.close()
