"""HTTP to registries: authorised, tried again where that may help, never waiting for ever."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from orchestrator.errors import InterruptedByUserError
from orchestrator.publish.auth import Authoriser, parse_challenge
from orchestrator.publish.certificates import CERTIFICATES
from orchestrator.publish.connections import (
    BrokenOffError,
    Connections,
    read_answer,
)
from orchestrator.publish.credentials import Credentials, CredentialStore
from orchestrator.publish.exchange import (
    PASSING,
    Answer,
    Request,
    detail_of,
    problems_of,
    retry_after_s,
)
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import (
    CredentialsError,
    RefusedError,
    RegistryUnreachableError,
)

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 60.0
"""How long a connection may stand still; a blob may take longer to be put in its place."""
ATTEMPTS = 5
RETRY_S = 0.5
_LONGEST_WAIT_S = 120.0
_RENEWALS = 2
"""How often a request is given another token: one may run out on its way."""
_HINTS = {
    401: "log in as a user who may push there: docker login {host}",
    403: "let this user push there, and read what is mounted; or log in as another: "
    "docker login {host}",
    404: "create the repository there first, where the registry does not by itself",
}
_LATER = "try again later: nothing is sent twice; orch doctor tries the registry"


class Wire:
    """The requests of a push; safe for several threads.

    `actions` is what tokens are asked for, `attempts` how often a request is sent at most.
    `retries` counts what was sent again, by repository.
    """

    def __init__(
        self,
        *,
        actions: str = "pull",
        timeout_s: float = TIMEOUT_S,
        retry_s: float = RETRY_S,
        find: Callable[[Repository], Credentials | None] | None = None,
        certificates: tuple[Path, ...] = CERTIFICATES,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.retries: Counter[Repository] = Counter()
        self._actions = actions
        self._retry_s = retry_s
        self.attempts = attempts
        self._auth = Authoriser(find or CredentialStore().find, self._request_token)
        self._connections = Connections(timeout_s, certificates)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Give up what runs, also what waits; requests then raise InterruptedByUserError."""
        self._stopping.set()
        self._connections.wake()

    def close(self) -> None:
        """End all connections."""
        self._connections.close()

    def check_wanted(self) -> None:
        """Make sure that nobody has asked to stop.

        Raises:
            InterruptedByUserError: The user has asked to stop.
        """
        if self._stopping.is_set():
            raise InterruptedByUserError("the push was given up")

    def send(self, request: Request, *, attempts: int = 0) -> Answer:
        """Send a request, again while that may help; return what is no passing fault.

        Raises:
            RegistryUnreachableError: All attempts failed.
            CredentialsError: The registry wants other credentials.
        """
        error = RegistryUnreachableError("")
        for attempt in range(attempts or self.attempts):
            if attempt:
                self.retries[request.repository] += 1
                self.pause(attempt, error)
            try:
                answer = self._authorised(request)
            except BrokenOffError as problem:
                error = self.unreachable(request, str(problem))
                continue
            if answer.status not in PASSING:
                return answer
            error = self.unreachable(
                request, f"answers {answer.status}{detail_of(answer)}", retry_after_s(answer)
            )
        raise error

    def expect(self, request: Request, *statuses: int, attempts: int = 0) -> Answer:
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
        message = f"{request.where} is answered {answer.status}{detail_of(answer)}"
        hint = _HINTS.get(answer.status, "run it with orch -v, which logs each request")
        codes = tuple(code for code, _ in problems_of(answer))
        if any("BLOB_UNKNOWN" in code for code in codes):
            hint = "the registry lacks a part of the image: push the image again"
        return RefusedError(
            self._auth.masked(message),
            status=answer.status,
            codes=codes,
            hint=hint.format(host=request.repository.host),
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
        self.rest(wait_s)

    def rest(self, wait_s: float) -> None:
        """Wait, but not for longer than the user wants.

        Raises:
            InterruptedByUserError: The user asked to stop meanwhile.
        """
        self._stopping.wait(wait_s)
        self.check_wanted()

    def _authorised(self, request: Request) -> Answer:
        with self.opened(request) as response:
            return read_answer(response)

    @contextlib.contextmanager
    def opened(self, request: Request) -> Iterator[httpx.Response]:
        """Begin a request, with the authorisation that is asked for.

        Raises:
            BrokenOffError: The connection failed; a later attempt may do better.
            CredentialsError: The registry wants other credentials.
        """
        self.check_wanted()
        base = self._connections.base(request.repository.host)
        url = urljoin(f"{base}/v2/{request.repository.name}/", request.target)
        scheme, host, *_ = urlsplit(base)
        if urlsplit(url).netloc == host:
            url = urlsplit(url)._replace(scheme=scheme).geturl()  # whatever a proxy made of it
        else:  # storage elsewhere gets no secrets
            with self._connections.begun(request, url, "") as response:
                yield response
            return
        scopes = self._scopes(request)
        header = self._auth.header(request.repository, scopes)
        for renewed in range(_RENEWALS + 1):
            with self._connections.begun(request, url, header) as response:
                if response.status_code != 401:
                    yield response
                    return
                read_answer(response)  # so that the connection can be used again
                told = response.headers.get("www-authenticate", "")
            challenge = parse_challenge(told)
            is_old = challenge is not None and challenge.is_of_old_token
            if renewed == _RENEWALS or (renewed and not is_old):
                break
            header = self._auth.renew(request.repository, scopes, told, header)
        raise CredentialsError(
            f"{request.where} is refused for want of rights",
            hint=f"log in: docker login {request.repository.host}",
        )

    def _scopes(self, request: Request) -> tuple[str, ...]:
        """Return what a token must be good for (OCI distribution, token scopes)."""
        sources = (f"repository:{source.name}:pull" for source in request.sources)
        return (f"repository:{request.repository.name}:{self._actions}", *sources)

    def _request_token(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes]:
        """Ask a token server, again while that may help."""
        where = f"{method} {urlsplit(url).netloc}{urlsplit(url).path}"
        error = RegistryUnreachableError("")
        for attempt in range(self.attempts):
            if attempt:
                self.pause(attempt, error)
            try:
                answer = self._connections.ask(method, url, headers, body)
            except BrokenOffError as broken:
                error = RegistryUnreachableError(f"{where}: {broken}", hint=_LATER)
                continue
            if answer.status not in PASSING:
                return answer.status, answer.body
            problem, after_s = f"{where}: answers {answer.status}", retry_after_s(answer)
            error = RegistryUnreachableError(problem, hint=_LATER, retry_after_s=after_s)
        raise error

    def unreachable(
        self, request: Request, problem: str, after_s: float | None = None
    ) -> RegistryUnreachableError:
        """Return the error of a request that a later attempt may answer."""
        message = self._auth.masked(f"{request.where}: {problem}")
        return RegistryUnreachableError(message, hint=_LATER, retry_after_s=after_s)
