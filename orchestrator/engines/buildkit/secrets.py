"""Secrets of a build: that they are there, and that nothing that is written shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from orchestrator.engines.buildkit.command import secret_file
from orchestrator.errors import BuildError
from orchestrator.model import Secret

_SHORTEST = 4
_LONGEST_BYTES = 1 << 16


def masking(
    secrets: Iterable[Secret], root: Path, environment: Mapping[str, str]
) -> Callable[[str], str]:
    """Return what puts `***` in the place of secrets' values, each line of one by itself.

    Values shorter than four characters, which would be found everywhere, and files larger than
    64 kB are left.

    Raises:
        BuildError: A secret is not there.
    """
    parts: set[str] = set()
    for secret in secrets:
        parts.update(line.strip() for line in _read(secret, root, environment).splitlines())
    hidden = sorted((part for part in parts if len(part) >= _SHORTEST), key=len, reverse=True)

    def mask(text: str) -> str:
        for part in hidden:
            text = text.replace(part, "***")
        return text

    return mask


def _read(secret: Secret, root: Path, environment: Mapping[str, str]) -> str:
    if secret.env:
        if secret.env not in environment:
            hint = f"export {secret.env}, or change secrets in the settings"
            raise BuildError(f"the secret {secret.id} needs ${secret.env}, not set", hint=hint)
        return environment[secret.env]
    file = secret_file(secret, root)
    try:
        with file.open("rb") as stream:
            return stream.read(_LONGEST_BYTES).decode(errors="replace")
    except OSError as error:
        message = f"the secret {secret.id} needs {file}: {error.strerror}"
        hint = "put the file there, or change secrets in the settings"
        raise BuildError(message, hint=hint) from error
