"""A small OCI registry in this process, over real HTTP, that misbehaves where it is told to."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import os
import re
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.servers import serving

Handler = http.server.BaseHTTPRequestHandler
Fault = Callable[[Handler], bool]
"""Does something to a request; tells whether that was all that is answered."""

USER, PASSWORD, TOKEN = "ann", "planted-password", "planted-token"
_PAGE = 2
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass
class TinyRegistry:
    """Blobs, manifests and uploads by repository; `asked` has `METHOD PATH` of each request.

    `auth` is nothing, `basic` or `bearer`; tokens end after `token_uses` requests. `mounts`,
    `immutable`, `artifacts`, `lists_referrers` and `most_bytes` are what registries differ in.
    `faults` are taken one by one.
    """

    auth: str = ""
    token_uses: int = 1_000_000
    mounts: bool = True
    lists_referrers: bool = True
    immutable: bool = False
    artifacts: bool = True
    most_bytes: int = 1 << 40
    faults: list[Fault | None] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    granted: list[dict[str, list[str]]] = field(default_factory=list)
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    received_bytes: int = 0
    address: str = ""
    _uses: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def running(self) -> Iterator[TinyRegistry]:
        """Listen on a free port of this machine."""
        site = self

        class Site(_Site):
            registry = site

        server = _Server(("127.0.0.1", 0), Site)
        server.daemon_threads = True
        server.block_on_close = False
        self.address = f"127.0.0.1:{server.server_port}"
        with serving(server):
            yield self

    def fault(self) -> Fault | None:
        with self._lock:
            return self.faults.pop(0) if self.faults else None

    def check(self, header: str) -> bool:
        """Tell whether a request is authorised."""
        if self.auth == "basic":
            return header == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        with self._lock:
            self._uses[header] = self._uses.get(header, 0) - 1
            return self._uses[header] >= 0

    def grant(self, query: dict[str, list[str]]) -> bytes:
        with self._lock:
            self.granted.append(query)
            token = f"{TOKEN}-{len(self.granted)}"
            self._uses[f"Bearer {token}"] = self.token_uses
            return json.dumps({"token": token}).encode()


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away: they were told to."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Site(http.server.BaseHTTPRequestHandler):
    registry: TinyRegistry
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body waits for no acknowledgement of its headers

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        pass

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Serve every method alike."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        registry = self.registry
        registry.asked.append(f"{self.command} {self.path}")
        fault = None if self.path.startswith("/token") else registry.fault()
        if fault is not None and fault(self):
            return
        parts = urlsplit(self.path)
        self.query = parse_qs(parts.query)
        if parts.path == "/token":
            self._token()
            return
        if registry.auth and not registry.check(self.headers.get("Authorization", "")):
            self._body()
            challenge = 'Basic realm="tiny"'
            if registry.auth == "bearer":
                realm = f"http://{registry.address}/token"
                challenge = f'Bearer realm="{realm}",service="tiny",scope="a,b"'
            self.answer(401, WWW_Authenticate=challenge)
            return
        if parts.path == "/v2/":
            self.answer(200)
            return
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs|tags|referrers)/(.+)", parts.path)
        assert found, self.path
        self.name = found[1]
        if found[2] == "blobs" and "uploads/" in self.path:
            self.name = parts.path.partition("/blobs/uploads")[0].removeprefix("/v2/")
            self._upload(parts.path.rpartition("/")[2])
        else:
            {
                "manifests": self._manifest,
                "blobs": self._blob,
                "tags": self._tags,
                "referrers": self._referrers,
            }[found[2]](found[3])

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str) -> None:
        self.answer(status, json.dumps({"errors": [{"code": code, "message": "no"}]}).encode())

    def _body(self) -> bytes:
        size_bytes = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(size_bytes)
        if len(data) < size_bytes:
            raise ConnectionAbortedError
        return data

    def _token(self) -> None:
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        form = parse_qs(self._body().decode())
        if self.headers.get("Authorization") == wanted or form.get("refresh_token") == [PASSWORD]:
            self.answer(200, self.registry.grant(form or self.query))
        else:
            self.refuse(401, "UNAUTHORIZED")

    def _manifest(self, pointer: str) -> None:
        registry = self.registry
        if self.command == "PUT":
            self._put_manifest(pointer, self._body())
            return
        digest = pointer if ":" in pointer else registry.tags.get((self.name, pointer), "")
        if (self.name, digest) not in registry.manifests:
            self.refuse(404, "MANIFEST_UNKNOWN")
            return
        media_type, data = registry.manifests[self.name, digest]
        self.answer(200, data, Content_Type=media_type, Docker_Content_Digest=digest)

    def _put_manifest(self, pointer: str, data: bytes) -> None:
        registry, document = self.registry, json.loads(data)
        inner = [document["config"], *document["layers"]] if "config" in document else []
        lacking = [i for i in inner if (self.name, i["digest"]) not in registry.blobs]
        parts = [(self.name, item["digest"]) for item in document.get("manifests", ())]
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        if lacking or any(part not in registry.manifests for part in parts):
            self.refuse(404, "MANIFEST_BLOB_UNKNOWN")
        elif "artifactType" in document and not registry.artifacts:
            self.refuse(400, "MANIFEST_INVALID")
        elif (
            ":" not in pointer
            and registry.immutable
            and registry.tags.get((self.name, pointer), digest) != digest
        ):
            self.refuse(400, "TAG_INVALID")
        else:
            registry.manifests[self.name, digest] = (self.headers["Content-Type"], data)
            if ":" not in pointer:
                registry.tags[self.name, pointer] = digest
            self.answer(201, Docker_Content_Digest=digest)

    def _blob(self, digest: str) -> None:
        data = self.registry.blobs.get((self.name, digest))
        if data is None:
            self.refuse(404, "BLOB_UNKNOWN")
        elif given := self.headers.get("Range"):
            begin = int(given.removeprefix("bytes=").removesuffix("-"))
            self.answer(206, data[begin:])
        else:
            self.answer(200, data)

    def _tags(self, _: str) -> None:
        names = sorted(tag for name, tag in self.registry.tags if name == self.name)
        names = [name for name in names if name > self.query.get("last", [""])[0]]
        body = json.dumps({"tags": names[:_PAGE]}).encode()
        if len(names) <= _PAGE:
            self.answer(200, body)
            return
        page = f"/v2/{self.name}/tags/list?last={names[_PAGE - 1]}"
        self.answer(200, body, Link=f'<{page}>; rel="next"')

    def _referrers(self, digest: str) -> None:
        registry = self.registry
        if not registry.lists_referrers:
            self.answer(404, b"404 page not found")
            return
        held = [data for (name, _), (_, data) in registry.manifests.items() if name == self.name]
        rows, begin = referrer_rows(held, digest), int(self.query.get("from", ["0"])[0])
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": rows[begin : begin + _PAGE]}
        more = {}
        if len(rows) > begin + _PAGE:
            page = f"/v2/{self.name}/referrers/{digest}?from={begin + _PAGE}"
            more["Link"] = f'<{page}>; rel="next"'
        self.answer(200, json.dumps(index).encode(), Content_Type=INDEX, **more)

    def _upload(self, key: str) -> None:
        registry = self.registry
        if self.command == "POST":
            mount, source = (self.query.get(k, [""])[0] for k in ("mount", "from"))
            if registry.mounts and (source, mount) in registry.blobs:
                registry.blobs[self.name, mount] = registry.blobs[source, mount]
                self.answer(201)
                return
            key = uuid.uuid4().hex
            registry.uploads[key] = bytearray()
            self._moved(202, key)
        elif int(self.headers.get("Content-Length") or 0) > registry.most_bytes:
            self._body()
            self.refuse(413, "SIZE_INVALID")
        elif key not in registry.uploads:
            self._body()
            self.refuse(404, "BLOB_UPLOAD_UNKNOWN")
        elif self.command == "DELETE":
            del registry.uploads[key]
            self.answer(204)
        elif self.command == "GET":
            self._moved(204, key)
        else:
            self._take(key)

    def _take(self, key: str) -> None:
        registry, upload = self.registry, self.registry.uploads[key]
        given = self.headers.get("Content-Range", "")
        if given and int(given.partition("-")[0]) != len(upload):
            self._body()
            self._moved(416, key)
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left and (piece := self.rfile.read1(min(left, 1 << 16))):
            upload += piece
            left -= len(piece)
            registry.received_bytes += len(piece)
        if left:
            self.close_connection = True
        elif self.command == "PATCH":
            self._moved(202, key)
        else:
            del registry.uploads[key]
            (digest,) = self.query["digest"]
            if "sha256:" + hashlib.sha256(upload).hexdigest() != digest:
                self.refuse(400, "DIGEST_INVALID")
                return
            registry.blobs[self.name, digest] = bytes(upload)
            self.answer(201, Docker_Content_Digest=digest)

    def _moved(self, status: int, key: str) -> None:
        last = max(len(self.registry.uploads[key]) - 1, 0)
        where = f"/v2/{self.name}/blobs/uploads/{key}?_state=x"
        self.answer(status, Location=where, Range=f"0-{last}")


def interrupt_this_process(_: Handler) -> bool:
    """Let the user interrupt whoever asks, if that is this very process."""
    os.kill(os.getpid(), signal.SIGINT)
    return False


def interrupt_at(method: str, part: str) -> Fault:
    """Return a fault that interrupts at the first request of a kind, and then at none."""
    begun = threading.Event()

    def fault(handler: Handler) -> bool:
        if handler.command == method and part in handler.path and not begun.is_set():
            begun.set()
            return interrupt_this_process(handler)
        return False

    return fault


def referrer_rows(manifests: Iterable[bytes], digest: str) -> list[dict[str, Any]]:
    """Return what of some manifests refers to a digest, as lists of referrers have it."""
    rows = []
    for data in manifests:
        document = json.loads(data)
        if document.get("subject", {}).get("digest") == digest:
            rows.append(
                {
                    "mediaType": document["mediaType"],
                    "digest": "sha256:" + hashlib.sha256(data).hexdigest(),
                    "size": len(data),
                    "artifactType": document.get("artifactType"),
                    "annotations": document.get("annotations", {}),
                }
            )
    return rows


def answering(status: int, body: bytes = b"", **headers: str) -> Fault:
    """Answer with a status, and a body where one is given."""

    def fault(handler: Handler) -> bool:
        assert isinstance(handler, _Site)
        handler._body()
        handler.answer(status, body, **headers)
        return True

    return fault


def resetting(after_bytes: int = 0) -> Fault:
    """Take some bytes of the body as an upload would, then break the connection off."""

    def fault(handler: Handler) -> bool:
        assert isinstance(handler, _Site)
        key = urlsplit(handler.path).path.rpartition("/")[2]
        if after_bytes:
            handler.registry.uploads[key] += handler.rfile.read(after_bytes)
        handler.close_connection = True
        handler.connection.close()
        return True

    return fault
