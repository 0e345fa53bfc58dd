"""Where the Docker engine listens: `DOCKER_HOST`, else the client's current context."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import MissingToolError

_DEFAULT = "unix:///var/run/docker.sock"
_UNIX = "unix://"


@dataclass(frozen=True, slots=True)
class Address:
    """An engine's address, and the name of the client's context that has it."""

    url: str
    context: str = "default"

    @property
    def socket(self) -> str:
        """Return the path of a Unix socket; empty where the engine listens elsewhere."""
        return self.url.removeprefix(_UNIX) if self.url.startswith(_UNIX) else ""


def find_address(environment: Mapping[str, str] = os.environ) -> Address:
    """Find the engine as Docker's own client does.

    `DOCKER_HOST` goes first, then `DOCKER_CONTEXT`, then what `docker context use` chose.

    Raises:
        MissingToolError: The chosen context does not exist.
    """
    if host := environment.get("DOCKER_HOST"):
        return Address(host)
    given = environment.get("DOCKER_CONFIG")
    folder = Path(given) if given else Path.home() / ".docker"
    name = environment.get("DOCKER_CONTEXT") or _read_text(folder / "config.json", "currentContext")
    if not name or name == "default":
        return Address(_DEFAULT)
    digest = hashlib.sha256(name.encode()).hexdigest()
    url = _read_text(folder / "contexts/meta" / digest / "meta.json", "Endpoints", "docker", "Host")
    if not url:
        hint = "docker context ls shows those there are; or set DOCKER_HOST"
        raise MissingToolError(f"there is no docker context {name!r}", hint=hint)
    return Address(url, name)


def _read_text(file: Path, *keys: str) -> str:
    """Return a text of a JSON file, by the keys that lead to it; nothing where it is not there."""
    try:
        value = json.loads(file.read_bytes())
        for key in keys:
            value = value[key]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return value if isinstance(value, str) else ""
