"""A web site on this machine that answers as servers and proxies do, and one file on it."""

from __future__ import annotations

import hashlib
import http.server
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.fetch import Downloads
from orchestrator.supply import Artifact
from tests.servers import serving

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HALF = len(CONTENT) // 2
WAIT_S = 20

Reply = Callable[[http.server.BaseHTTPRequestHandler], None]


class Site:
    """A web site whose answers are scripted by path; the last one stays.

    `asked` has the path of each request, `ranges` the Range header of each.
    """

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[str] = []
        self.ranges: list[str] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                site.ranges.append(self.headers.get("Range", ""))
                replies = site.replies.get(self.path, [answer(404)])
                (replies.pop(0) if len(replies) > 1 else replies[0])(self)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False

    def url(self, path: str = "/x", *replies: Reply) -> str:
        self.replies[path] = list(replies)
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    @contextmanager
    def running(self) -> Iterator[Site]:
        """Answer until the block ends."""
        with serving(self.server):
            yield self


def answer(status: int, content: bytes = b"", **headers: str) -> Reply:
    def reply(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return reply


def cut_short(request: http.server.BaseHTTPRequestHandler) -> None:
    """Promise all, send half."""
    request.send_response(200)
    request.send_header("Content-Length", str(len(CONTENT)))
    request.end_headers()
    request.wfile.write(CONTENT[:HALF])


def rest(request: http.server.BaseHTTPRequestHandler) -> None:
    """Serve what the Range header asks for."""
    first = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    answer(206, CONTENT[first:])(request)


WHOLE = answer(200, CONTENT)
ALTERED = answer(200, CONTENT[:-1] + b"!")


def file_at(*urls: str, hint: str = "") -> Artifact:
    return Artifact("x_1.deb", SHA256, len(CONTENT), lambda: urls, hint)


def result(downloads: Downloads, artifact: Artifact) -> Path:
    return downloads.start(artifact).result(WAIT_S)
