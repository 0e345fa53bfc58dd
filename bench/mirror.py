"""A mirror on this machine of what a lock names: both sides fetch from it, none from afar.

An apt repository under `/debian` (a flat one, sources.list(5)) and a package index under
`/simple` (PEP 503), as web servers of the real ones answer, with what caches need to know.
"""

from __future__ import annotations

import hashlib
import html
import http.server
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from orchestrator.lockfile import Lock

_FIELDS = (
    *("Package", "Version", "Architecture", "Depends", "Pre-Depends", "Provides"),
    *("Conflicts", "Breaks", "Replaces", "Multi-Arch", "Essential", "Priority"),
)


@dataclass(frozen=True, slots=True)
class Mirror:
    """Files by what they are asked for: `debian/PATH` and `wheels/FILE`."""

    folder: Path

    def add(self, lock: Lock, downloads: Path) -> None:
        """Take in every file that a lock names, from orch's downloads."""
        for adds in lock.images.values():
            for deb in adds.debs:
                _link(_download(downloads, deb.sha256), self.folder / "debian" / deb.path)
            for wheel in adds.wheels:
                _link(_download(downloads, wheel.sha256), self.folder / "wheels" / wheel.file)

    def add_wheel(self, name: str, data: bytes) -> None:
        file = self.folder / "wheels" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def index_debs(self) -> None:
        """Write the list of packages that apt reads."""
        root = self.folder / "debian"
        stanzas = []
        for file in sorted(root.rglob("*.deb")):
            fields = subprocess.run(
                ["dpkg-deb", "--field", file, *_FIELDS], check=True, capture_output=True, text=True
            ).stdout.strip()
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            where = f"Filename: ./{file.relative_to(root)}\nSize: {file.stat().st_size}"
            stanzas.append(f"{fields}\n{where}\nSHA256: {digest}\n")
        (root / "Packages").write_text("\n".join(stanzas))

    @contextmanager
    def serving(self, address: str) -> Iterator[str]:
        """Serve on an address of this machine that containers reach; the value is the URL."""

        class Handler(_Handler):
            mirror = self

        server = http.server.ThreadingHTTPServer((address, 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://{address}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Handler(http.server.SimpleHTTPRequestHandler):
    mirror: Mirror
    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments, directory=str(self.mirror.folder))

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        pass

    def end_headers(self) -> None:
        if self.path.startswith("/wheels/"):
            self.send_header("Cache-Control", "max-age=31536000, immutable, public")
        super().end_headers()

    def handle(self) -> None:
        with suppress(ConnectionError):  # clients hang up when they have seen enough
            super().handle()

    def do_GET(self) -> None:
        if self.path.startswith("/simple/"):
            self._list(self.path.strip("/").rpartition("/")[2])
        else:
            super().do_GET()

    def _list(self, project: str) -> None:
        files = sorted((self.mirror.folder / "wheels").glob("*.whl"))
        found = [file for file in files if normalise(file.name.partition("-")[0]) == project]
        if not found:
            self.send_error(404)
            return
        links = [_link_to(file) for file in found]
        body = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def normalise(name: str) -> str:
    """Return a project's name as indexes have it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _link_to(file: Path) -> str:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    href = f"/wheels/{quote(file.name)}#sha256={digest}"
    return f'<a href="{href}">{html.escape(file.name)}</a><br>'


def _download(downloads: Path, sha256: str) -> Path:
    return downloads / sha256[:2] / sha256


def _link(source: Path, target: Path) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)
