"""HTTP to registries: authorised, tried again where that may help, never waiting for ever."""

from __future__ import annotations

import contextlib
import email.utils
import json
import socket
import ssl
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urljoin, urlsplit

from orchestrator import __version__, logs
from orchestrator.errors import InterruptedByUserError
from orchestrator.fetch import http_client
from orchestrator.publish.auth import Authoriser
from orchestrator.publish.certificates import CERTIFICATES, trusting
from orchestrator.publish.credentials import Credentials, find_credentials
from orchestrator.publish.reference import DOCKER_HUB, Repository, is_loopback
from orchestrator.publish.registry import (
    CredentialsError,
    RefusedError,
    RegistryError,
    RegistryUnreachableError,
)

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 60.0
"""How long a connection may stand still; a blob may take longer to be put in its place."""
ATTEMPTS = 5
RETRY_S = 0.5
_SLOW = 5
_LONGEST_WAIT_S = 120.0
_MOST_BYTES = 8 << 20
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_DETAIL = 300
_LATER = "see to the network, or try again later: what is there already is not sent again"

Content = Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """A request about a repository; `target` is below it, or a whole URL that it answered.

    `content` gives the body anew for each attempt, `size_bytes` long. `sources` are other
    repositories that it reads. A `slow` one may be thought about for longer.
    """

    method: str
    repository: Repository
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Content | None = None
    size_bytes: int = 0
    sources: tuple[Repository, ...] = ()
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body is small; the keys of `headers` are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def location(self) -> str:
        """Return the address of `Location`, made whole."""
        return urljoin(self.url, self.headers.get("location", ""))


class _BrokenOffError(Exception):
    """The connection failed; a later attempt may do better."""


class Wire:
    """The connections of a push; safe for several threads.

    Plain HTTP is spoken to this machine alone, and there unless `certificates` has a folder for
    the host. `actions` is what tokens are asked for. `retries` counts what was sent again.
    """

    def __init__(
        self,
        *,
        actions: str = "pull",
        timeout_s: float = TIMEOUT_S,
        retry_s: float = RETRY_S,
        find: Callable[[Repository], Credentials | None] = find_credentials,
        certificates: tuple[Path, ...] = CERTIFICATES,
    ) -> None:
        self.retries: Counter[Repository] = Counter()
        self._actions = actions
        self._timeout_s, self._retry_s = timeout_s, retry_s
        self._certificates = certificates
        self._auth = Authoriser(find, self._request_token)
        self._clients: dict[str, httpx.Client] = {}
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._stopping = threading.Event()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Give up what runs, also what waits; requests then raise InterruptedByUserError."""
        self._stopping.set()
        with self._lock:
            for connection in self._sockets:
                with contextlib.suppress(OSError):  # it has ended already
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End all connections."""
        for client in self._clients.values():
            client.close()

    def check_wanted(self) -> None:
        """Raise InterruptedByUserError when the user has asked to stop."""
        if self._stopping.is_set():
            raise InterruptedByUserError("the push was given up")

    def send(self, request: Request, *, attempts: int = ATTEMPTS) -> Answer:
        """Send a request, again while that may help; return what is no passing fault.

        Raises:
            RegistryUnreachableError: All attempts failed.
            CredentialsError: The registry wants other credentials.
        """
        error = RegistryUnreachableError("")
        for attempt in range(attempts):
            if attempt:
                self.retries[request.repository] += 1
                self.pause(attempt, error)
            try:
                answer = self._authorised(request)
            except _BrokenOffError as problem:
                error = self._unreachable(request, str(problem))
                continue
            if answer.status not in _PASSING:
                return answer
            error = self._unreachable(
                request, f"answers {answer.status}{_detail(answer)}", _retry_after_s(answer)
            )
        raise error

    def expect(self, request: Request, *statuses: int, attempts: int = ATTEMPTS) -> Answer:
        """Send a request that must be answered with one of some statuses.

        Raises:
            RefusedError: It is answered with another one.
            RegistryError: As for `send`.
        """
        answer = self.send(request, attempts=attempts)
        if answer.status not in statuses:
            raise self.refused(request, answer)
        return answer

    def refused(self, request: Request, answer: Answer) -> RefusedError:
        """Return the error of an answer that is none of those expected."""
        message = f"{self._where(request)} is answered {answer.status}{_detail(answer)}"
        hint = "may this user push there, and read what it mounts?" if answer.status == 403 else ""
        return RefusedError(
            self._auth.masked(message),
            status=answer.status,
            codes=tuple(code for code, _ in _problems(answer)),
            hint=hint,
        )

    def pause(self, attempt: int, error: RegistryUnreachableError | None = None) -> None:
        """Wait before an attempt: as long as the registry asked for, else longer each time.

        Raises:
            InterruptedByUserError: The user asked to stop meanwhile.
        """
        asked_s = error.retry_after_s if error else None
        wait_s = self._retry_s * 2 ** (attempt - 1) if asked_s is None else asked_s
        if wait_s > _LONGEST_WAIT_S and error is not None:
            raise error
        self._stopping.wait(wait_s)
        self.check_wanted()

    def download(self, request: Request, out: BinaryIO) -> None:
        """Write an answer's body to a file, resuming it where it broke off.

        Raises:
            RefusedError: The answer is no file.
            RegistryError: As for `send`.
        """
        error = RegistryUnreachableError("")
        for attempt in range(ATTEMPTS):
            if attempt:
                self.retries[request.repository] += 1
                self.pause(attempt, error)
            try:
                status, after_s = self._download_rest(request, out)
            except _BrokenOffError as problem:
                error = self._unreachable(request, str(problem))
                continue
            if status not in _PASSING:
                return
            error = self._unreachable(request, f"answers {status}", after_s)
        raise error

    def _download_rest(self, request: Request, out: BinaryIO) -> tuple[int, float | None]:
        done = out.tell()
        ranged = {"Range": f"bytes={done}-"} if done else {}
        headers = {**request.headers, "Accept-Encoding": "identity", **ranged}
        with self._opened(replace(request, headers=headers)) as response:
            if response.status_code not in {200, 206}:
                answer = _read(response)
                if answer.status not in _PASSING:
                    raise self.refused(request, answer)
                return answer.status, _retry_after_s(answer)
            if response.status_code == 200:
                out.seek(0)
                out.truncate()
            with _breaking_off():
                for chunk in response.iter_raw():
                    self.check_wanted()
                    out.write(chunk)
        return response.status_code, None

    def _authorised(self, request: Request) -> Answer:
        with self._opened(request) as response:
            return _read(response)

    @contextlib.contextmanager
    def _opened(self, request: Request) -> Iterator[httpx.Response]:
        """Begin a request, with the authorisation that is asked for."""
        self.check_wanted()
        base = self._base(request.repository.host)
        url = urljoin(f"{base}/v2/{request.repository.name}/", request.target)
        if urlsplit(url).netloc != urlsplit(base).netloc:  # storage elsewhere gets no secrets
            with self._begun(request, url, "") as response:
                yield response
            return
        scopes = self._scopes(request)
        header = self._auth.header(request.repository, scopes)
        with self._begun(request, url, header) as response:
            if response.status_code != 401:
                yield response
                return
            _read(response)  # so that the connection can be used again
            challenge = response.headers.get("www-authenticate", "")
        header = self._auth.renew(request.repository, scopes, challenge, header)
        with self._begun(request, url, header) as response:
            if response.status_code == 401:
                raise CredentialsError(
                    f"{self._where(request)} is refused for want of rights",
                    hint=f"log in: docker login {request.repository.host}",
                )
            yield response

    def _scopes(self, request: Request) -> tuple[str, ...]:
        """Return what a token must be good for (OCI distribution, token scopes)."""
        sources = (f"repository:{source.name}:pull" for source in request.sources)
        return (f"repository:{request.repository.name}:{self._actions}", *sources)

    @contextlib.contextmanager
    def _begun(self, request: Request, url: str, authorization: str) -> Iterator[httpx.Response]:
        """Open a response whose body is not read yet."""
        headers = {"User-Agent": f"orch/{__version__}", **request.headers}
        if authorization:
            headers["Authorization"] = authorization
        if request.content is not None:
            headers["Content-Length"] = str(request.size_bytes)
        client = self._client(urlsplit(url).netloc)
        began_s = time.monotonic()
        with _breaking_off():
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

    def _request_token(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes]:
        """Ask a token server, again while that may help."""
        where = f"{method} {urlsplit(url).netloc}{urlsplit(url).path}"
        problem, after_s = "", None
        for attempt in range(ATTEMPTS):
            if attempt:
                error = RegistryUnreachableError(f"{where}: {problem}", retry_after_s=after_s)
                self.pause(attempt, error)
            try:
                with _breaking_off():
                    response = self._client(urlsplit(url).netloc).request(
                        method,
                        url,
                        headers=dict(headers),
                        content=body,
                        timeout=self._timeout_s,
                        extensions={"trace": self._note_connection},
                    )
            except _BrokenOffError as broken:
                problem, after_s = str(broken), None
                continue
            if response.status_code not in _PASSING:
                return response.status_code, response.content
            answer = Answer(response.status_code, response.headers, b"", "")
            problem, after_s = f"answers {answer.status}", _retry_after_s(answer)
        raise RegistryUnreachableError(f"{where}: {problem}", hint=_LATER)

    def _note_connection(self, event: str, details: Mapping[str, Any]) -> None:
        """Remember connections, so that what waits for an answer can be woken."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            with self._lock:
                self._sockets.add(details["return_value"].get_extra_info("socket"))

    def _base(self, host: str) -> str:
        if host == DOCKER_HUB:
            host = "registry-1.docker.io"
        is_plain = is_loopback(host) and not any((f / host).is_dir() for f in self._certificates)
        return f"{'http' if is_plain else 'https'}://{host}"

    def _client(self, host: str) -> httpx.Client:
        with self._lock:
            if host not in self._clients:
                context = trusting(host, self._certificates)
                self._clients[host] = http_client(self._timeout_s, context)
            return self._clients[host]

    def _where(self, request: Request) -> str:
        """Name a request without what may be secret in its address."""
        url = urljoin(f"/v2/{request.repository.name}/", request.target)
        return f"{request.method} {request.repository.host}{urlsplit(url).path}"

    def _unreachable(
        self, request: Request, problem: str, after_s: float | None = None
    ) -> RegistryUnreachableError:
        message = self._auth.masked(f"{self._where(request)}: {problem}")
        return RegistryUnreachableError(message, hint=_LATER, retry_after_s=after_s)


@contextlib.contextmanager
def _breaking_off() -> Iterator[None]:
    """Turn a connection's failure into an error that may pass, but for what does not pass."""
    import httpx  # noqa: PLC0415 - slow to import

    try:
        yield
    except httpx.TransportError as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise RegistryError(
                    f"the certificate is not trusted: {cause.verify_message}",
                    hint="let SSL_CERT_FILE name the certificates to trust, or put the "
                    "registry's into /etc/docker/certs.d/HOST/ca.crt",
                ) from error
            cause = cause.__cause__ or cause.__context__
        raise _BrokenOffError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise RegistryError(f"the registry's answer cannot be used: {error}") from error


def _read(response: httpx.Response) -> Answer:
    """Read a small answer.

    Raises:
        RegistryError: It is not small.
    """
    body = bytearray()
    with _breaking_off():
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise RegistryError(f"{response.url.host} answers more than {_MOST_BYTES} bytes")
    url = str(response.url)
    return Answer(response.status_code, response.headers, bytes(body), url)


def _problems(answer: Answer) -> list[tuple[str, str]]:
    """Return codes and messages (OCI distribution specification, "Error codes")."""
    try:
        errors = json.loads(answer.body)["errors"]
        return [(str(item.get("code", "")), str(item.get("message", ""))) for item in errors]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _detail(answer: Answer) -> str:
    said = "; ".join(f"{code} {message}".strip() for code, message in _problems(answer))
    return f" ({said[:_DETAIL]})" if said else ""


def _retry_after_s(answer: Answer) -> float | None:
    """Return the seconds of `Retry-After` (RFC 9110, 10.2.3): a number or a date."""
    given = answer.headers.get("retry-after", "")
    if given.isdigit():
        return float(given)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(given).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
