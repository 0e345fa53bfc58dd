"""Builds that reach a server of the test: what is seen while they run, and faults that pass."""

from __future__ import annotations

import socket
import socketserver
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.real.docker_engine import DockerEngine
from tests.real.site import TREE, Site
from tests.servers import serving


@pytest.fixture
def site26(tmp_path: Path, docker26: DockerEngine, require_tool: Callable[[str], Path]) -> Site:
    return Site(tmp_path, docker26, require_tool("busybox"))


@contextmanager
def server(asked: Callable[[int], bool]) -> Iterator[int]:
    """Serve; `asked` is told the number of each request and says whether it is answered."""
    numbers = iter(range(1000))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked(next(numbers)):
                self.send_response(200)
                self.send_header("Content-Length", "3")
                self.end_headers()
                self.wfile.write(b"ok\n")
            else:  # closed at once, so that the other side hears of a reset
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()

        def log_message(self, *_: object) -> None:
            pass

    class Server(socketserver.ThreadingTCPServer):
        def handle_error(self, *_: object) -> None:
            pass

    listening = Server(("127.0.0.1", 0), Handler)
    with serving(listening):
        yield listening.server_address[1]


def command_lines() -> bytes:
    """Return how every process of this machine was called."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes())
        except OSError:  # it has ended
            continue
    return b"\n".join(found)


def test_a_secret_s_value_is_in_no_command_line_while_a_build_runs(site26: Site) -> None:
    seen: list[bytes] = []

    def asked(_number: int) -> bool:
        seen.append(command_lines())
        return True

    with server(asked) as port:
        site26.write(
            {
                **TREE,
                "orch.toml": 'registry = "registry.example.com/team"\n[image.job]\n'
                'network = "host"\nsecrets = [{id = "word", env = "PASS_WORD"}]\n',
                "services/job/Dockerfile": "FROM web\nRUN --mount=type=secret,id=word "
                f"wget -q -O /answer http://127.0.0.1:{port}/ && test -s /run/secrets/word\n",
            }
        )
        site26.environment["PASS_WORD"] = "open sesame"
        ran = site26.build("job")
    assert ran.code == 0, ran.said
    (lines,) = seen
    assert b"id=word,env=PASS_WORD" in lines, "the build was running"
    assert b"sesame" not in lines


@pytest.mark.parametrize(("retries", "status"), [("2", "built"), ("0", "failed")])
def test_a_connection_that_is_reset_is_tried_again(site26: Site, retries: str, status: str) -> None:
    with server(lambda number: number > 0) as port:
        files = {"orch.toml": "", "base/job/Dockerfile": "FROM scratch\n"}
        files["base/job/Dockerfile"] += f"ADD http://127.0.0.1:{port}/file /file\n"
        site26.write(files)
        ran = site26.build("--retries", retries)
    assert ran.statuses == {"job": status}, ran.said
    assert ran.images["job"]["attempts"] == (2 if status == "built" else 1)
