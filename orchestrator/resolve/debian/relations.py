"""Relations between packages, as control fields write them (Debian Policy 7.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.resolve.debian.version import version_key

_RELATION = re.compile(
    r"(?P<name>[a-zA-Z0-9][a-zA-Z0-9+.\-]*)"
    r"(?::(?P<qualifier>[a-z0-9\-]+))?"
    r"(?:\s*\(\s*(?P<operator><<|<=|=|>=|>>|<|>)\s*(?P<version>[^\s)]+)\s*\))?"
    r"(?:\s*\[(?P<architectures>[^\]]*)\])?"
    r"(?:\s*<[^>]*>)*"
)
_OWN_ARCHITECTURE = ("", "any", "native", "all")


@dataclass(frozen=True, slots=True)
class Relation:
    """One package that is named, `libfoo (>= 2)`; without a bound the last two are empty."""

    name: str
    operator: str = ""
    version: str = ""

    def __str__(self) -> str:
        """Return the relation as a control field writes it."""
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name


@dataclass(frozen=True, slots=True)
class Clause:
    """Alternatives of which one must be there: `exim4 | mail-transport-agent`.

    Alternatives of another architecture are left out; a clause that has only such has none.
    """

    alternatives: tuple[Relation, ...]

    def __str__(self) -> str:
        """Return the clause as a control field writes it."""
        return " | ".join(map(str, self.alternatives)) or "a package of another architecture"


def parse_relations(text: str, architecture: str) -> tuple[Clause, ...]:
    """Read a field such as Depends or Conflicts for one architecture, `amd64`.

    Alternatives restricted to other architectures (`[armhf]`) are dropped, and so is a clause
    of nothing else.

    Raises:
        ValueError: A relation is malformed.
    """
    clauses = (_parse_clause(part, architecture) for part in text.split(",") if part.strip())
    return tuple(clause for clause in clauses if clause is not None)


def _parse_clause(text: str, architecture: str) -> Clause | None:
    matches = [_match(part.strip()) for part in text.split("|")]
    applicable = [match for match in matches if _applies(match["architectures"], architecture)]
    if not applicable:
        return None
    return Clause(
        tuple(
            Relation(match["name"], match["operator"] or "", match["version"] or "")
            for match in applicable
            if (match["qualifier"] or "") in (*_OWN_ARCHITECTURE, architecture)
        )
    )


def _match(text: str) -> re.Match[str]:
    match = _RELATION.fullmatch(text)
    if match is None:
        raise ValueError(f"malformed relation {text!r}")
    version_key(match["version"] or "0")  # refused here, where the package can be named
    return match


def _applies(architectures: str | None, architecture: str) -> bool:
    names = (architectures or "").split()
    if not names:
        return True
    if names[0].startswith("!"):
        return f"!{architecture}" not in names
    return not {architecture, "any", "linux-any", f"any-{architecture}"}.isdisjoint(names)
