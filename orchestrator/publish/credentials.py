"""Credentials for registries, from where `docker login` and `podman login` keep them."""

from __future__ import annotations

import base64
import binascii
import json
import math
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.errors import MissingToolError, OrchError, WorkspaceError, unreadable
from orchestrator.publish.reference import DOCKER_HUB, Repository
from orchestrator.publish.untrusted import read_object

_HELPER_TIMEOUT_S = 60
_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", DOCKER_HUB)
_ANEW = "mend it, or move it away and run: docker login HOST"
_NOT_FOUND = "credentials not found"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a secret; with `is_identity_token` the secret is a refresh token (OAuth 2).

    Neither `repr` nor `str` shows the secret. From `renew_at_s` on, by the monotonic clock, they
    are to be asked for anew.
    """

    user: str
    secret: str = field(repr=False)
    is_identity_token: bool = False
    renew_at_s: float = math.inf


class CredentialStore:
    """What is kept on this machine; a helper is asked once, however many repositories want it."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str], Credentials | None] = {}
        self._lock = threading.Lock()

    def find(self, repository: Repository) -> Credentials | None:
        """Return what is kept for a repository's registry, or None where nothing is.

        Looked at, the first that has something wins: Docker's `config.json` (`DOCKER_CONFIG`
        moves it), then containers' `auth.json` (`REGISTRY_AUTH_FILE`, the runtime folder, the
        user's configuration). Within a file a helper of the registry's own comes first, then
        the credentials themselves, then the helper for everything.

        Source: Docker, "docker login, credential stores"; containers-auth.json(5).

        Raises:
            WorkspaceError: A file is no JSON.
            MissingToolError: The helper that a file names is not installed.
            OrchError: The helper fails.
        """
        with self._lock:
            for file in credential_files():
                found = self._find_in(file, repository)
                if found is not None:
                    return found
        return None

    def _find_in(self, file: Path, repository: Repository) -> Credentials | None:
        config = _read(file)
        host = repository.host
        keys = _HUB_KEYS if host == DOCKER_HUB else (host,)
        helpers = _table(config, "credHelpers")
        for key in keys:
            if helper := helpers.get(key):
                return self._ask(str(helper), key, file)
        entries = {_plain(key): value for key, value in _table(config, "auths").items()}
        for key in (*_narrowing(repository), *(_plain(key) for key in keys)):
            if found := _parse_entry(entries.get(key), file):
                return found
        if store := config.get("credsStore"):
            return self._ask(str(store), keys[0], file)
        return None

    def _ask(self, helper: str, key: str, file: Path) -> Credentials | None:
        if (helper, key) not in self._asked:
            self._asked[helper, key] = _ask(helper, key, file)
        return self._asked[helper, key]


def credential_files() -> Iterator[Path]:
    """Yield the files that may hold credentials, the best first; they need not exist."""
    home = Path.home()
    yield Path(os.environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    if given := os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(given)
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers/auth.json"
    yield Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "containers/auth.json"


def _read(file: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(file.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise unreadable(error, file) from error
    except (ValueError, RecursionError):  # says nothing of the content, which is secret
        raise WorkspaceError("is not valid JSON", file=file, hint=_ANEW) from None
    return value if isinstance(value, dict) else {}


def _table(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = config.get(key)
    return value if isinstance(value, dict) else {}


def _narrowing(repository: Repository) -> Iterator[str]:
    """Yield keys such as `HOST/a/b`, `HOST/a`, the longest first."""
    parts = repository.name.split("/")
    for count in range(len(parts), 0, -1):
        yield f"{repository.host}/{'/'.join(parts[:count])}"


def _plain(key: str) -> str:
    """Return a key without scheme and version, as old files have them."""
    return key.partition("://")[2].removesuffix("/v1/").removesuffix("/") if "://" in key else key


def _parse_entry(entry: Any, file: Path) -> Credentials | None:
    if not isinstance(entry, dict):
        return None
    user, secret = str(entry.get("username") or ""), str(entry.get("password") or "")
    if packed := entry.get("auth"):
        try:
            user, _, secret = base64.b64decode(str(packed), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise WorkspaceError("holds an unreadable auth", file=file, hint=_ANEW) from None
    if token := entry.get("identitytoken"):
        return Credentials(user, str(token), is_identity_token=True)
    return Credentials(user, secret.rstrip("\0")) if secret else None


def _ask(helper: str, key: str, file: Path) -> Credentials | None:
    """Ask a credential helper; its output is never shown, as it may hold secrets.

    Source: docker-credential-helpers, "Development".
    """
    program = f"docker-credential-{helper}"
    try_it = f"see what this says: echo {key} | {program} get"
    try:
        done = subprocess.run(
            [program, "get"],
            input=key,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_HELPER_TIMEOUT_S,
        )
    except FileNotFoundError:
        raise MissingToolError(
            f"{program}, which is to know the credentials for {key}, is not on the PATH",
            file=file,
            hint="install it, or take it out of the file and run: docker login HOST",
        ) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        why = type(error).__name__
        raise OrchError(f"{program} does not answer: {why}", file=file, hint=try_it) from None
    if done.returncode:
        if _NOT_FOUND in (done.stdout + done.stderr).lower():
            return None
        raise OrchError(
            f"{program} fails with {done.returncode} for {key}",
            file=file,
            hint=try_it,
        )
    try:
        answer = read_object(done.stdout)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError):
        message = f"{program} answers something else than credentials for {key}"
        raise OrchError(message, file=file, hint=try_it) from None
    if not secret:
        return None
    return Credentials(user, secret, is_identity_token=user == "<token>")
