"""Authorisation at registries: challenges, tokens, and how long these hold."""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlencode, urlsplit

from orchestrator.publish.credentials import Credentials
from orchestrator.publish.reference import Repository, is_loopback
from orchestrator.publish.registry import NO_REGISTRY, CredentialsError
from orchestrator.publish.untrusted import read_object

_DEFAULT_LIFE_S = 60.0
"""How long a token holds that does not say so."""
_SHARE_LEFT = 0.2
"""A token is not used any more when only this share of its life is left."""
_SECRETS_FROM = 4
_TOKEN = re.compile(r"[\x21-\x7e]+")
"""What goes into a header as it is (RFC 6750, 2.1, and a little more)."""
_CHALLENGE = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9_-]*)\s+"
    r"(?P<parameters>[a-z_]+\s*=\s*(?:\"[^\"]*\"|[^\s,\"]+)"
    r"(?:\s*,\s*[a-z_]+\s*=\s*(?:\"[^\"]*\"|[^\s,\"]+))*)",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r"([a-z_]+)\s*=\s*(?:\"([^\"]*)\"|([^\s,\"]+))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a registry wants (RFC 9110, 11.6.1): its scheme, and for `bearer` where tokens are."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""
    error: str = ""

    @property
    def is_of_old_token(self) -> bool:
        """Return whether it was a token's age that was refused (RFC 6750, 3.1)."""
        return self.error == "invalid_token"


def parse_challenge(header: str) -> Challenge | None:
    """Read `WWW-Authenticate`; of several challenges Bearer comes before Basic, the rest is None.

    Source: RFC 6750, section 3; OCI distribution's token authentication specification.
    """
    found = {}
    for match in _CHALLENGE.finditer(header):
        pairs = _PARAMETER.findall(match["parameters"])
        values = {key.lower(): quoted or plain for key, quoted, plain in pairs}
        found[match["scheme"].lower()] = Challenge(
            match["scheme"].lower(),
            values.get("realm", ""),
            values.get("service", ""),
            values.get("scope", ""),
            values.get("error", ""),
        )
    return found.get("bearer") or found.get("basic")


class TokenRequest(Protocol):
    """Sends a request to a token server; returns the status and the body of its answer."""

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes]: ...


@dataclass(frozen=True, slots=True)
class _Token:
    header: str = field(repr=False)
    renew_at_s: float


class Authoriser:
    """The `Authorization` header of each request; safe for several threads.

    Credentials are looked up when a registry asks for them, once a repository, and again when
    they run out or are refused. A token is asked for once however many threads need it, and
    again before it runs out.
    """

    def __init__(
        self,
        find_credentials: Callable[[Repository], Credentials | None],
        request_token: TokenRequest,
    ) -> None:
        self._find = find_credentials
        self._request = request_token
        self._challenges: dict[str, Challenge] = {}
        self._credentials: dict[Repository, Credentials | None] = {}
        self._tokens: dict[tuple[str, tuple[str, ...]], _Token] = {}
        self._secrets: set[str] = set()
        self._lock = threading.Lock()
        self._locks: dict[object, threading.Lock] = {}

    def header(self, repository: Repository, scopes: tuple[str, ...]) -> str:
        """Return what the host is known to want, or nothing where it has not asked yet."""
        challenge = self._challenges.get(repository.host)
        return self._answer(challenge, repository, scopes) if challenge else ""

    def renew(
        self, repository: Repository, scopes: tuple[str, ...], challenge: str, refused: str
    ) -> str:
        """Answer a 401: return a header other than the one that was refused.

        Raises:
            CredentialsError: There are no credentials, or these were refused.
        """
        host = repository.host
        parsed = parse_challenge(challenge) or self._challenges.get(host)
        if parsed is None:
            raise CredentialsError(
                f"{host} refuses {repository.name} and does not say what it wants",
                hint=f"log in: docker login {host}",
            )
        self._challenges[host] = parsed
        with self._lock:
            known = self._tokens.get((host, scopes))
            if known is not None and known.header == refused:
                del self._tokens[host, scopes]
        self._forget(repository, refused)
        header = self._answer(parsed, repository, scopes)
        if header in {"", refused}:
            who = self._known(repository)
            raise CredentialsError(
                f"{host} refuses the credentials of {who.user or 'this user'}"
                if who
                else f"{host} wants credentials for {repository.name}, and none are kept for it",
                hint=f"log in: docker login {host}",
            )
        return header

    def masked(self, text: str) -> str:
        """Return a text without any secret that was used."""
        with self._lock:
            secrets = sorted(self._secrets, key=len, reverse=True)
        for secret in secrets:
            text = text.replace(secret, "***")
        return text

    def _answer(self, challenge: Challenge, repository: Repository, scopes: tuple[str, ...]) -> str:
        if challenge.scheme == "basic":
            known = self._known(repository)
            return _basic(known) if known else ""
        key = (repository.host, scopes)
        with self._lock_of(key):
            token = self._tokens.get(key)
            if token is None or token.renew_at_s <= time.monotonic():
                token = self._fetch(challenge, repository, scopes)
                self._tokens[key] = token
            return token.header

    def _fetch(
        self, challenge: Challenge, repository: Repository, scopes: tuple[str, ...]
    ) -> _Token:
        realm = urlsplit(challenge.realm)
        if realm.scheme != "https" and not is_loopback(realm.netloc):
            raise CredentialsError(
                f"{repository.host} has tokens asked for in the clear, at {challenge.realm}",
                hint="let whoever keeps the registry name an https:// realm there",
            )
        known = self._known(repository)
        wanted = [("service", challenge.service)] if challenge.service else []
        headers = {"Accept": "application/json"}
        asked_at_s = time.monotonic()
        if known is not None and known.is_identity_token:
            form = [("grant_type", "refresh_token"), ("client_id", "orch"), *wanted]
            form += [("scope", " ".join(scopes)), ("refresh_token", known.secret)]
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            status, body = self._request("POST", challenge.realm, headers, urlencode(form).encode())
        else:
            query = [*wanted, *(("scope", scope) for scope in scopes)]
            if known is not None:
                query.append(("account", known.user))
                headers["Authorization"] = _basic(known)
            joint = "&" if realm.query else "?"
            url = f"{challenge.realm}{joint}{urlencode(query)}"
            status, body = self._request("GET", url, headers, None)
        return self._parse(status, body, realm.netloc, known, asked_at_s)

    def _parse(
        self, status: int, body: bytes, host: str, known: Credentials | None, asked_at_s: float
    ) -> _Token:
        if status in {400, 401, 403}:
            who = (
                f"the credentials of {known.user or 'this user'}" if known else "an anonymous user"
            )
            raise CredentialsError(
                f"{host} gives {who} no token", hint="log in to the registry: docker login HOST"
            )
        try:
            answer = read_object(body)
            token = answer.get("token") or answer["access_token"]
            life_s = float(answer.get("expires_in") or _DEFAULT_LIFE_S)
        except (ValueError, KeyError, TypeError, OverflowError):
            token, life_s = None, 0.0
        if not (isinstance(token, str) and _TOKEN.fullmatch(token)):
            raise CredentialsError(
                f"{host} answers {status} and no token",
                hint=NO_REGISTRY,
            )
        self._keep_secret(token)
        return _Token(f"Bearer {token}", asked_at_s + life_s * (1 - _SHARE_LEFT))

    def _forget(self, repository: Repository, refused: str) -> None:
        """Look for credentials anew where those that are known were refused themselves."""
        with self._lock_of(repository):
            known = self._credentials.get(repository)
            if known is not None and _basic(known) == refused:
                del self._credentials[repository]

    def _known(self, repository: Repository) -> Credentials | None:
        with self._lock_of(repository):
            known = self._credentials.get(repository)
            is_old = known is not None and known.renew_at_s <= time.monotonic()
            if is_old or repository not in self._credentials:
                found = self._find(repository)
                self._credentials[repository] = found
                if found is not None:
                    self._keep_secret(found.secret, _basic(found).removeprefix("Basic "))
            return self._credentials[repository]

    def _keep_secret(self, *secrets: str) -> None:
        with self._lock:
            self._secrets.update(secret for secret in secrets if len(secret) >= _SECRETS_FROM)

    def _lock_of(self, key: object) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(key, threading.Lock())


def _basic(known: Credentials) -> str:
    packed = base64.b64encode(f"{known.user}:{known.secret}".encode()).decode()
    return f"Basic {packed}"
