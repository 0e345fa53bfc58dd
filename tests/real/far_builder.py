"""A BuildKit that buildx reaches over the network, as its driver `remote` does.

An engine has a BuildKit inside, behind an upgrade of HTTP to gRPC on its socket. What stands here
in front of it speaks gRPC on a port, as `buildkitd --addr tcp://...` does.
"""

from __future__ import annotations

import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from tests.real.docker_engine import DockerEngine

_UPGRADE = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
_CHUNK = 1 << 16


@contextmanager
def far_builder(engine: DockerEngine, environment: Mapping[str, str], name: str) -> Iterator[str]:
    """Give buildx a builder of a name, the engine's own BuildKit on a port; yield its address."""
    path = engine.host.removeprefix("unix://")

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as buildkit:
                buildkit.connect(path)
                buildkit.sendall(_UPGRADE)
                answer = b""
                while not answer.endswith(b"\r\n\r\n"):
                    answer += buildkit.recv(1)
                back = threading.Thread(target=_pass_on, args=(buildkit, self.request))
                back.start()
                _pass_on(self.request, buildkit)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Relay) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.server_address[1]}"
        create = ["docker", "buildx", "create", f"--name={name}", "--driver=remote", address]
        subprocess.run(create, env=environment, check=True, capture_output=True)
        try:
            yield address
        finally:
            remove = ["docker", "buildx", "rm", name]
            subprocess.run(remove, env=environment, check=True, capture_output=True)
            server.shutdown()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until it ends; then the other side ends too."""
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
