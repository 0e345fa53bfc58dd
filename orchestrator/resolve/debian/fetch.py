"""Fetches an archive's files over HTTP, or from a local mirror."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from orchestrator.errors import FetchError, UnreachableError
from orchestrator.transfer import PASSING, RETRY_S, http_client

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S = 60.0
_ATTEMPTS = 3
_NOT_FOUND = (404, 410)
_NOT_CARRIED = "set suite, components or mirror under [debian] to what the archive has"


class MissingFileError(FetchError):
    """The archive answers, and has no such file."""


class Fetcher:
    """Fetches files by `http:`, `https:` and `file:` URIs; threads may share one.

    It connects when it is used, also after it was closed.
    """

    def __init__(self) -> None:
        self._client: httpx.Client | None = None
        self._lock = threading.Lock()

    def fetch(self, uri: str, most_bytes: int) -> bytes:
        """Return a file's bytes, which are no more than may come.

        Raises:
            MissingFileError: The archive has no such file.
            FetchError: The archive is out of reach, refuses, or sends more.
        """
        return _read_file(uri) if uri.startswith("file:") else self._get(uri, most_bytes)

    def close(self) -> None:
        """Give up the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _get(self, uri: str, most_bytes: int) -> bytes:
        import httpx  # noqa: PLC0415 - heavy, and not needed for local mirrors

        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._stream(uri, most_bytes)
            except httpx.TransportError as error:
                if attempt == _ATTEMPTS:
                    raise _out_of_reach(uri, error) from error
            except UnreachableError:
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(RETRY_S * 2**attempt)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise _out_of_reach(uri, error) from error
        raise AssertionError("unreachable")

    def _stream(self, uri: str, most_bytes: int) -> bytes:
        # The digests are those of the files as they lie there: some servers call a .gz file
        # plain text in gzip encoding, and a client would inflate it.
        headers = {"Accept-Encoding": "identity"}
        with self._http().stream("GET", uri, headers=headers) as response:
            if response.status_code in _NOT_FOUND:
                raise MissingFileError(
                    f"{shown(uri)}: not found",
                    hint=_NOT_CARRIED,
                )
            if not response.is_success:
                kind = UnreachableError if response.status_code in PASSING else FetchError
                raise kind(
                    f"{shown(uri)}: the server answered {response.status_code}",
                    hint="try again later, or set another mirror under [debian]",
                )
            found = bytearray()
            for chunk in response.iter_raw():
                found += chunk
                if len(found) > most_bytes:
                    raise FetchError(
                        f"{shown(uri)}: more than {most_bytes} bytes came",
                        hint="it may be no archive of Debian's: set another mirror under [debian]",
                    )
            return bytes(found)

    def _http(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                self._client = http_client(_TIMEOUT_S)
            return self._client


def shown(uri: str) -> str:
    """Return a URI without the name and the password that apt's sources may have in it."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _out_of_reach(uri: str, error: Exception) -> FetchError:
    return FetchError(
        f"{shown(uri)}: out of reach: {error}",
        hint="try again when the network is there, or set another mirror under [debian]",
    )


def _read_file(uri: str) -> bytes:
    path = Path(unquote(urlsplit(uri).path))
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise MissingFileError(f"{shown(uri)}: not found", hint=_NOT_CARRIED) from error
    except OSError as error:
        raise FetchError(
            f"{shown(uri)}: {error.strerror}",
            hint="let the user who runs orch read it, or set another mirror under [debian]",
        ) from error
