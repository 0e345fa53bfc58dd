"""Every base of this repository holds what it promises to the services that stand on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import docker
import pytest
from docker.models.containers import Container
from packaging.requirements import Requirement

from orchestrator.verify.loading import SCRIPT
from tests.real.containers import run_detached
from tests.real.docker_engine import DockerEngine
from tests.real.reference import requirements

PYTHON = "/opt/venv/bin/python"


@pytest.fixture(scope="module")
def container(
    docker_engine: DockerEngine,
    client: docker.DockerClient,
    load: Callable[[DockerEngine, str], None],
    base: str,
) -> Iterator[Container]:
    load(docker_engine, base)
    with run_detached(client, base, entrypoint=["sleep", "3600"], init=True) as started:
        yield started


def output_of(container: Container, *command: str) -> str:
    result = container.exec_run(list(command))
    assert isinstance(result.output, bytes)
    output = result.output.decode(errors="replace").strip()
    assert result.exit_code == 0, output
    return output


def evaluate(container: Container, imports: str, expression: str) -> str:
    return output_of(container, PYTHON, "-c", f"import {imports}; print({expression})")


def test_required_packages_are_imported(container: Container, base: str) -> None:
    names = [Requirement(line).name for line in requirements(base)]
    asked = json.dumps({"projects": names, "libraries": []})
    assert '"why"' not in output_of(container, PYTHON, "-I", "-c", SCRIPT, asked)


def test_certificates_of_authorities_are_trusted(container: Container) -> None:
    count = "ssl.create_default_context().cert_store_stats()['x509_ca']"
    assert int(evaluate(container, "ssl", count)) > 100


def test_time_zones_are_known(container: Container) -> None:
    zone = "zoneinfo.ZoneInfo('Europe/Lisbon').key"
    assert evaluate(container, "zoneinfo", zone) == "Europe/Lisbon"


def test_user_has_a_name(container: Container) -> None:
    assert evaluate(container, "getpass", "getpass.getuser()")


@pytest.mark.system_package("libsndfile1")
def test_libraries_are_found_by_ctypes(container: Container) -> None:
    library = "ctypes.util.find_library('sndfile')"
    assert evaluate(container, "ctypes.util", library) == "libsndfile.so.1"


@pytest.mark.system_package("ffmpeg")
def test_ffmpeg_runs(container: Container) -> None:
    assert output_of(container, "ffmpeg", "-version").startswith("ffmpeg version")


def test_curl_runs(container: Container) -> None:
    assert output_of(container, "curl", "--version").startswith("curl ")
