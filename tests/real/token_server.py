"""A token server on 127.0.0.1 whose tokens a real registry believes."""

from __future__ import annotations

import base64
import http.server
import json
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.real.parts import find_tool
from tests.servers import serving


@dataclass
class TokenServer:
    """Grants what is asked for to one user, for `life_s`; remembers what it `granted`.

    Source: OCI distribution's token authentication specification, "JWT".
    """

    folder: Path
    user: str
    password: str
    life_s: int = 300
    realm: str = ""
    service: str = "tests"
    issuer: str = "tests-issuer"
    granted: list[str] = field(default_factory=list)

    @property
    def certificate(self) -> Path:
        return self.folder / "token.crt"

    def grant(self, scopes: list[str], user: str) -> bytes:
        """Return a token, signed."""
        now = int(time.time())
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        chain = "".join(self.certificate.read_text().splitlines()[1:-1])
        claims = {
            "iss": self.issuer,
            "sub": user,
            "aud": self.service,
            "exp": now + 3600,
            "nbf": now - 60,
            "iat": now,
            "jti": uuid.uuid4().hex,
            "access": access,
        }
        head = {"typ": "JWT", "alg": "RS256", "x5c": [chain]}
        signed = f"{_packed(json.dumps(head).encode())}.{_packed(json.dumps(claims).encode())}"
        key = self.folder / "token.key"
        command = [str(find_tool("openssl")), "dgst", "-sha256", "-sign", str(key)]
        done = subprocess.run(command, input=signed.encode(), capture_output=True, check=True)
        token = f"{signed}.{_packed(done.stdout)}"
        self.granted.append(token)
        return json.dumps({"token": token, "expires_in": self.life_s}).encode()


@contextmanager
def token_server(user: str, password: str) -> Iterator[TokenServer]:
    """Run a token server.

    Raises:
        MissingPartError: openssl is not installed.
    """
    openssl = str(find_tool("openssl"))
    with tempfile.TemporaryDirectory(prefix="orch-tokens-") as name:
        tokens = TokenServer(Path(name), user, password)
        subject = ["-subj", "/CN=tests", "-days", "2", "-nodes", "-newkey", "rsa:2048"]
        files = ["-keyout", f"{name}/token.key", "-out", f"{name}/token.crt"]
        command = [openssl, "req", "-x509", *subject, *files]
        subprocess.run(command, capture_output=True, check=True)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(tokens))
        tokens.realm = f"http://127.0.0.1:{server.server_port}/token"
        with serving(server):
            yield tokens


def _handler(tokens: TokenServer) -> type[http.server.BaseHTTPRequestHandler]:
    wanted = base64.b64encode(f"{tokens.user}:{tokens.password}".encode()).decode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            knows = self.headers.get("Authorization") == f"Basic {wanted}"
            body = tokens.grant(query.get("scope", []), tokens.user) if knows else b"{}"
            self.send_response(200 if knows else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            pass

    return Handler


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
