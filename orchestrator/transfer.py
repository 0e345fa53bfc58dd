"""One file from one place: over HTTP, resumed where it stopped, or out of a folder."""

from __future__ import annotations

import os
import shutil
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

from orchestrator.errors import FetchError, InterruptedByUserError

if TYPE_CHECKING:
    import httpx

RETRY_S = 0.5
"""Half of how long the first retry waits; each waits twice as long as the one before."""

_ANSWERS_WITHIN_S = 10.0
"""How long `reach` waits."""

TRY_LATER = "try again later; orch doctor tries the network, the indexes and the mirrors"
_CHUNK = 1 << 20
_GONE = {404, 410}
PASSING = {408, 425, 429, 500, 502, 503, 504}


class GoneError(FetchError):
    """No place that was tried has the file any more."""


def http_client(timeout_s: float = 60.0, context: ssl.SSLContext | None = None) -> httpx.Client:
    """Return a client that trusts the system's certificates, or those of `SSL_CERT_FILE`.

    A `context` says what else it trusts, or all of it.
    """
    import httpx  # noqa: PLC0415 - slow to import, and a build with nothing to do needs none

    context = context or ssl.create_default_context()
    limits = httpx.Limits(max_connections=32, max_keepalive_connections=32)
    return httpx.Client(
        verify=context, timeout=timeout_s, follow_redirects=True, limits=limits, trust_env=True
    )


@dataclass(frozen=True, slots=True)
class Reached:
    """What a server answered: a status, and the time that it told."""

    status: int
    date: str = ""


def reach(url: str) -> Reached:
    """Ask a server for a page, whose body is not read.

    Raises:
        FetchError: It does not answer.
    """
    import httpx  # noqa: PLC0415 - see http_client

    try:
        with http_client(_ANSWERS_WITHIN_S) as client, client.stream("GET", url) as response:
            return Reached(response.status_code, response.headers.get("date", ""))
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        host = urlsplit(url).hostname
        message = f"{host} does not answer: {type(error).__name__}: {error}"
        raise FetchError(message, hint=TRY_LATER) from error


class Transfers:
    """Brings files here, from several threads at once, until it is stopped.

    `on_bytes` is told of each piece that came.
    """

    def __init__(self, on_bytes: Callable[[int], None]) -> None:
        self._on_bytes = on_bytes
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    @property
    def is_stopped(self) -> bool:
        """Tell whether all was given up."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Give up what runs, at its next piece, and wait for no retry."""
        self._stopping.set()

    def close(self) -> None:
        """Close what is open to servers."""
        if self._client is not None:
            self._client.close()

    def received(self, size_bytes: int) -> None:
        """Count bytes, and end the transfer where all is to be given up.

        Raises:
            InterruptedByUserError: The transfers were stopped.
        """
        if self._stopping.is_set():
            raise InterruptedByUserError("the download was given up")
        self._on_bytes(size_bytes)

    def fetch(self, url: str, part: BinaryIO, attempts: int, most_bytes: int = 0) -> None:
        """Append to `part` what it lacks of a file, in up to so many attempts.

        Of a file that is longer than `most_bytes`, where these are known, the rest is left there.

        Raises:
            GoneError: The place does not have the file.
            FetchError: It refuses, or fails at each attempt.
            InterruptedByUserError: The transfers were stopped.
        """
        parts = urlsplit(url)
        if parts.scheme == "file":
            self._copy(Path(unquote(parts.path)), part)
            return
        problem = ""
        for attempt in range(attempts):
            if attempt and self._stopping.wait(RETRY_S * 2**attempt):
                raise InterruptedByUserError("the download was given up")
            problem = self._get(url, part, most_bytes)
            if not problem:
                return
        raise FetchError(f"{parts.hostname}: {problem}", hint=TRY_LATER)

    def _copy(self, source: Path, part: BinaryIO) -> None:
        part.truncate(0)
        if source.exists() and not source.is_file():  # but a device, which has no end
            raise FetchError(f"{source} is no file", hint="let the address name a file")
        try:
            with source.open("rb") as file:
                shutil.copyfileobj(file, part, _CHUNK)
        except FileNotFoundError as error:
            raise GoneError(f"{source} does not exist", hint="put it there again") from error
        part.flush()
        self._on_bytes(part.tell())

    def _get(self, url: str, part: BinaryIO, most_bytes: int) -> str:
        """Fetch the rest of a file; return what went wrong if it may pass, else nothing."""
        import httpx  # noqa: PLC0415 - see http_client

        part.seek(0, os.SEEK_END)
        headers = {"Accept-Encoding": "identity"}
        if part.tell():
            headers["Range"] = f"bytes={part.tell()}-"
        try:
            with self._http().stream("GET", url, headers=headers) as response:
                if response.status_code == 416:
                    return ""
                if response.status_code in PASSING:
                    return f"answers {response.status_code}"
                _refuse_error(response)
                if response.status_code != 206:
                    part.truncate(0)
                for chunk in response.iter_raw():
                    part.write(chunk)
                    self.received(len(chunk))
                    if 0 < most_bytes < part.tell():
                        break
        except httpx.TransportError as error:
            part.flush()
            return f"{type(error).__name__}: {error}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise FetchError(f"{urlsplit(url).hostname}: {error}", hint=TRY_LATER) from error
        part.flush()
        return ""

    def _http(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                self._client = http_client()
            return self._client


def _refuse_error(response: httpx.Response) -> None:
    if response.status_code >= 400:
        kind = GoneError if response.status_code in _GONE else FetchError
        raise kind(f"{response.url.host} answers {response.status_code}", hint=TRY_LATER)
