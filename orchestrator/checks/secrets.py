"""What looks like a secret: in texts by its form, in variables also by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

_SHOWN = 4
_FORMS: Mapping[str, str] = MappingProxyType(
    {
        "AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
        "private key": r"-----BEGIN (?:[A-Z]+ ){0,2}PRIVATE KEY(?: BLOCK)?-----"
        r"(?=\s*[\w+/=:-]{16})",
        "GitHub token": r"\b(?:gh[pousr]_[0-9A-Za-z]{36,}|github_pat_\w{60,})",
        "GitLab token": r"\bglpat-[\w-]{20,}",
        "Slack token": r"\bxox[abprs]-[0-9A-Za-z-]{20,}",
        "Google API key": r"\bAIza[\w-]{35}\b",
        "Stripe key": r"\b[rs]k_live_[0-9A-Za-z]{20,}",
        "OpenAI or Anthropic key": r"\bsk-(?:proj-|ant-)[\w-]{32,}",
        "Hugging Face token": r"\bhf_[0-9A-Za-z]{34,}\b",
        "npm token": r"\bnpm_[0-9A-Za-z]{36}\b",
        "password in a URL": r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"$<{%]{1,64}"
        r":(?![$<{%*])[^\s/:@'\"]{6,128}@(?=[\w.-]{2})",
    }
)
"""Forms that hardly anything else has. A private key is one with a body: code that looks for
the heading is none."""
_ANY = re.compile("|".join(f"({form})" for form in _FORMS.values()))
_KINDS = tuple(_FORMS)

_NAME = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?"
    r"|(?:API|ACCESS|PRIVATE|SECRET|ENCRYPTION|SIGNING)_?KEY)$"
)
_PLACEHOLDER = re.compile(
    r"(?i)\$|[<{%]|^(?:x+|\*+|none|null|true|false|changeme|change-me|placeholder|example|dummy"
    r"|test|todo|your[-_ ].*|\d{1,6}|(?:[a-z]+:/)?/.*)$"
)


@dataclass(frozen=True, slots=True)
class FoundSecret:
    """Something that looks like a secret: what kind, its beginning alone, and where.

    `line` is counted from 1. The secret itself is not kept.
    """

    kind: str
    masked: str
    line: int = 0


def find_secrets(text: str) -> Iterator[FoundSecret]:
    """Yield what has the form of a secret."""
    for match in _ANY.finditer(text):
        kind = _KINDS[(match.lastindex or 1) - 1]
        line = text.count("\n", 0, match.start()) + 1
        yield FoundSecret(kind, mask(match[0]), line)


def secret_of_variable(name: str, value: str) -> FoundSecret | None:
    """Return what a variable or a label gives away: by the form of its value, or by its name.

    Empty values, paths and what stands for a value are nothing.
    """
    if found := next(find_secrets(value), None):
        return found
    name = re.sub(r"[^A-Za-z0-9]+", "_", name).upper()
    if not value or _PLACEHOLDER.search(value) or not _NAME.search(name):
        return None
    return FoundSecret("value of a variable with such a name", "****")


def masked(text: str) -> str:
    """Return a text in which of all that has the form of a secret only the beginning is left."""
    return _ANY.sub(lambda match: mask(match[0]), text)


def mask(secret: str) -> str:
    """Return the first few characters of a secret, which say what it is."""
    return "-----BEGIN" if secret.startswith("-----BEGIN") else f"{secret[:_SHOWN]}****"
