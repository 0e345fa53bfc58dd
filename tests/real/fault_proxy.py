"""A proxy before a registry that breaks one request, or some, in a way that is asked for.

Alone: `python -m tests.real.fault_proxy HOST:PORT FAULT NUMBER` breaks the request of that number
and runs until interrupted.
"""

from __future__ import annotations

import argparse
import http.client
import http.server
import socket
import struct
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tests.servers import serving

_PIECE = 1 << 16
_DROPPED = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Fault(Enum):
    """What can be done to a request."""

    RESET = "reset"
    LOST_ANSWER = "lost-answer"
    ERROR = "500"
    BUSY = "503"
    TOO_MANY = "429"
    STALL = "stall"
    WRONG_DIGEST = "wrong-digest"
    EXPIRED = "401"


_STATUSES = {Fault.ERROR: 500, Fault.BUSY: 503, Fault.TOO_MANY: 429, Fault.EXPIRED: 401}


@dataclass
class FaultProxy:
    """Passes requests on to `upstream`; those whose numbers are in `at`, from 1, meet the fault.

    `asked` has `METHOD PATH` of each request. `challenge` is what a 401 asks for. `is_stalled` is
    set when a request waits in vain. `handler` may do more than this.
    """

    upstream: str
    fault: Fault = Fault.RESET
    at: Collection[int] = ()
    challenge: str = 'Basic realm="tests"'
    asked: list[str] = field(default_factory=list)
    address: str = ""
    handler: type[Handler] | None = None
    is_stalled: threading.Event = field(default_factory=threading.Event)
    _released: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def running(self) -> Iterator[FaultProxy]:
        """Listen on a free port of 127.0.0.1."""
        handler = type("Owned", (self.handler or Handler,), {"owner": self})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        server.block_on_close = False
        self.address = f"127.0.0.1:{server.server_port}"
        with serving(server):
            try:
                yield self
            finally:
                self._released.set()

    def fault_of(self, request: str) -> Fault | None:
        """Count a request and return what is to be done to it."""
        with self._lock:
            self.asked.append(request)
            return self.fault if len(self.asked) in self.at else None

    def stall(self) -> None:
        """Wait until the proxy ends."""
        self.is_stalled.set()
        self._released.wait()


class Handler(http.server.BaseHTTPRequestHandler):
    owner: FaultProxy
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name: str) -> Any:
        """Serve every method alike."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        pass

    def _serve(self) -> None:
        fault = self.owner.fault_of(f"{self.command} {self.path}")
        with suppress(ConnectionError):
            if fault is Fault.RESET:
                self._reset()
            elif fault is Fault.STALL:
                self.owner.stall()
                self._reset()
            elif fault in _STATUSES:
                self._answer(_STATUSES[fault])
            else:
                self._pass_on(fault)

    def _pass_on(self, fault: Fault | None) -> None:
        upstream = http.client.HTTPConnection(self.owner.upstream, timeout=60)
        try:
            headers = [item for item in self.headers.items() if item[0].lower() != "connection"]
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                upstream.putheader(name, value)
            upstream.endheaders()
            for piece in self._pieces():
                upstream.send(piece)
            response = upstream.getresponse()
            body = response.read()
            if fault is Fault.LOST_ANSWER:
                self._reset()
                return
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in _DROPPED:
                    is_wrong = fault is Fault.WRONG_DIGEST and name == "Docker-Content-Digest"
                    self.send_header(name, "sha256:" + "0" * 64 if is_wrong else value)
            given = response.headers.get("Content-Length", "0")
            length = given if self.command == "HEAD" else str(len(body))
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(body)
        finally:
            upstream.close()

    def _pieces(self) -> Iterator[bytes]:
        left = int(self.headers.get("Content-Length") or 0)
        while left and (piece := self.rfile.read1(min(left, _PIECE))):
            left -= len(piece)
            yield piece

    def _answer(self, status: int) -> None:
        for _ in self._pieces():
            pass
        self.send_response(status)
        if status in {503, 429}:
            self.send_header("Retry-After", "0")
        if status == 401:
            self.send_header("WWW-Authenticate", self.owner.challenge)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _reset(self) -> None:
        """End the connection by a reset, not by a polite end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def main() -> None:
    """Run a proxy until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.real.fault_proxy")
    parser.add_argument("upstream")
    parser.add_argument("fault", type=Fault)
    parser.add_argument("number", type=int)
    given = parser.parse_args()
    with FaultProxy(given.upstream, given.fault, {given.number}).running() as proxy:
        print(proxy.address, flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
