"""Where Docker is, and what it has, asked without the docker package."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.engines.docker.address import Address, find_address
from orchestrator.engines.docker.presence import private_tag, read_present
from orchestrator.errors import MissingToolError
from tests.helpers import write_tree


def test_docker_host_goes_before_contexts(tmp_path: Path) -> None:
    write_tree(tmp_path, {"config.json": '{"currentContext": "far"}'})
    environment = {"DOCKER_HOST": "tcp://build:2375", "DOCKER_CONFIG": str(tmp_path)}
    assert find_address(environment) == Address("tcp://build:2375")
    assert not find_address(environment).socket


@pytest.mark.parametrize("chosen", [{"DOCKER_CONTEXT": "far"}, {}])
def test_a_context_is_found_as_docker_keeps_it(tmp_path: Path, chosen: dict[str, str]) -> None:
    current = {} if chosen else {"currentContext": "far"}
    meta = {"Name": "far", "Endpoints": {"docker": {"Host": "unix:///far.sock"}}}
    place = f"contexts/meta/{hashlib.sha256(b'far').hexdigest()}/meta.json"
    write_tree(tmp_path, {"config.json": json.dumps(current), place: json.dumps(meta)})
    found = find_address({"DOCKER_CONFIG": str(tmp_path), **chosen})
    assert found == Address("unix:///far.sock", "far")
    assert found.socket == "/far.sock"


def test_without_anything_said_it_is_the_default_socket(tmp_path: Path) -> None:
    found = find_address({"DOCKER_CONFIG": str(tmp_path)})
    assert found == Address("unix:///var/run/docker.sock")


def test_a_context_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="no docker context 'gone'"):
        find_address({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "gone"})


@pytest.fixture
def answering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[bytes], list[bytes]]]:
    """Return a function that answers one request on a socket; it returns what was asked."""
    path = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    threads = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def answer(text: bytes) -> list[bytes]:
            asked: list[bytes] = []

            def serve() -> None:
                connection, _ = listening.accept()
                with connection:
                    asked.append(connection.recv(65536))
                    connection.sendall(text)

            threads.append(threading.Thread(target=serve))
            threads[-1].start()
            return asked

        yield answer
        for thread in threads:
            thread.join()


def test_one_question_tells_what_is_there(answering: Callable[[bytes], list[bytes]]) -> None:
    tag = private_tag("api", f"sha256:{'a' * 64}")
    body = json.dumps([{"Id": "x", "RepoTags": [tag, "api:latest"]}, {"RepoTags": None}])
    asked = answering(f"HTTP/1.0 200 OK\r\nContent-Type: x\r\n\r\n{body}".encode())
    assert read_present() == {tag, "api:latest"}
    (request,) = asked
    assert request.startswith(b"GET /images/json?filters=%7B%22reference%22")


def test_an_error_of_the_engine_is_passed_on(answering: Callable[[bytes], list[bytes]]) -> None:
    answering(b'HTTP/1.0 500 Internal Server Error\r\n\r\n{"message": "disk"}')
    with pytest.raises(MissingToolError, match="500 Internal Server Error"):
        read_present()


def test_nobody_listening_is_an_error_that_names_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(MissingToolError, match=r"none\.sock: No such file or directory"):
        read_present()


def test_podman_is_known_by_its_answer_and_builds_no_dockerfiles(
    answering: Callable[[bytes], list[bytes]],
) -> None:
    answering(b"HTTP/1.0 200 OK\r\nLibpod-Api-Version: 4.3.1\r\n\r\n[]")
    with pytest.raises(MissingToolError, match="is Podman's socket, which has no BuildKit"):
        read_present()
