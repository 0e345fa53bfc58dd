"""Connections to registries, one client a host; the one user of httpx in this room."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orchestrator import __version__, logs
from orchestrator.publish.certificates import CERTIFICATES, trusting
from orchestrator.publish.exchange import Answer, Request
from orchestrator.publish.reference import DOCKER_HUB, is_loopback
from orchestrator.publish.registry import NO_REGISTRY, RegistryError
from orchestrator.transfer import http_client

if TYPE_CHECKING:
    import httpx

_SLOW = 5
_MOST_BYTES = 8 << 20


class BrokenOffError(Exception):
    """The connection failed; a later attempt may do better."""


class Connections:
    """Kept alive and shared by threads; plain HTTP is spoken to this machine alone.

    And there only where `certificates` has no folder for the host.
    """

    def __init__(self, timeout_s: float, certificates: tuple[Path, ...] = CERTIFICATES) -> None:
        self._timeout_s = timeout_s
        self._certificates = certificates
        self._clients: dict[str, httpx.Client] = {}
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()

    def wake(self) -> None:
        """Break off what waits for an answer."""
        with self._lock:
            for connection in self._sockets:
                with contextlib.suppress(OSError):  # it has ended already
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End all connections."""
        for client in self._clients.values():
            client.close()

    def base(self, host: str) -> str:
        """Return the address of a registry: scheme and host."""
        if host == DOCKER_HUB:
            host = "registry-1.docker.io"
        is_plain = is_loopback(host) and not any((f / host).is_dir() for f in self._certificates)
        return f"{'http' if is_plain else 'https'}://{host}"

    @contextlib.contextmanager
    def begun(self, request: Request, url: str, authorization: str) -> Iterator[httpx.Response]:
        """Open a response whose body is not read yet.

        Raises:
            BrokenOffError: The connection failed.
            RegistryError: It fails in a way that will not pass.
        """
        headers = {"User-Agent": f"orch/{__version__}", **request.headers}
        if authorization:
            headers["Authorization"] = authorization
        if request.content is not None:
            headers["Content-Length"] = str(request.size_bytes)
        client = self._client(urlsplit(url).netloc)
        began_s = time.monotonic()
        with breaking_off(urlsplit(url).netloc):
            response = client.send(
                client.build_request(
                    request.method,
                    url,
                    headers=headers,
                    content=request.content() if request.content else None,
                    timeout=self._timeout_s * (_SLOW if request.slow else 1),
                    extensions={"trace": self._note_connection},
                ),
                stream=True,
            )
        logs.event(
            "registry.asked",
            method=request.method,
            path=urlsplit(url).path,
            status=response.status_code,
            duration_s=round(time.monotonic() - began_s, 3),
        )
        try:
            yield response
        finally:
            response.close()

    def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Send a small request to another server than a registry, such as one for tokens.

        Raises:
            BrokenOffError: The connection failed.
            RegistryError: The answer is not small.
        """
        client = self._client(urlsplit(url).netloc)
        with (
            breaking_off(urlsplit(url).netloc),
            client.stream(
                method,
                url,
                headers=dict(headers),
                content=body,
                timeout=self._timeout_s,
                extensions={"trace": self._note_connection},
            ) as response,
        ):
            return read_answer(response)

    def _note_connection(self, event: str, details: Mapping[str, Any]) -> None:
        """Remember connections, so that what waits for an answer can be woken."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            with self._lock:
                self._sockets.add(details["return_value"].get_extra_info("socket"))

    def _client(self, host: str) -> httpx.Client:
        with self._lock:
            if host not in self._clients:
                context = trusting(host, self._certificates)
                client = http_client(self._timeout_s, context)
                client.event_hooks = {"request": [_refuse_plain]}  # also where one redirects to
                self._clients[host] = client
            return self._clients[host]


def _refuse_plain(request: httpx.Request) -> None:
    if request.url.scheme != "https" and not is_loopback(request.url.netloc.decode()):
        raise RegistryError(
            f"{request.url.host} is to be spoken to in the clear, as an answer has it",
            hint="the registry, or the proxy before it, must name https:// addresses",
        )


@contextlib.contextmanager
def breaking_off(host: str) -> Iterator[None]:
    """Turn the failure of a connection into an error that may pass, but for what does not pass.

    Raises:
        BrokenOffError: It failed in a way that may pass.
        RegistryError: It failed in a way that stays: no trust, or an answer that is none.
    """
    import httpx  # noqa: PLC0415 - slow to import

    try:
        yield
    except httpx.TransportError as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise RegistryError(
                    f"the certificate of {host} is not trusted: {cause.verify_message}",
                    hint="let SSL_CERT_FILE name the certificates to trust, or put the "
                    f"registry's into /etc/docker/certs.d/{host}/ca.crt",
                ) from error
            cause = cause.__cause__ or cause.__context__
        raise BrokenOffError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise RegistryError(
            f"what {host} answers cannot be used: {error}", hint=NO_REGISTRY
        ) from error


def read_answer(response: httpx.Response) -> Answer:
    """Read a small answer.

    Raises:
        RegistryError: It is not small.
    """
    body = bytearray()
    with breaking_off(response.url.netloc.decode()):
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise RegistryError(
                    f"{response.url.host} answers more than {_MOST_BYTES} bytes",
                    hint=NO_REGISTRY,
                )
    url = str(response.url)
    return Answer(response.status_code, response.headers, bytes(body), url)
