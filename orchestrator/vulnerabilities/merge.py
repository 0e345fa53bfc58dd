"""What scanners found, put together: a vulnerability is one, whoever tells of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from orchestrator.publish.findings import Finding, Severity

_ORDER = ("CVE-", "GHSA-", "PYSEC-")


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """A known vulnerability of a package; `aliases` are other ids of the same one.

    `sources` are the scanners that tell of it, sorted.
    """

    id: str
    package: str
    version: str
    severity: Severity = Severity.UNKNOWN
    fixed: tuple[str, ...] = ()
    aliases: frozenset[str] = field(default_factory=frozenset)
    sources: tuple[str, ...] = ()
    uri: str = ""

    @property
    def ids(self) -> frozenset[str]:
        """Return all its ids."""
        return self.aliases | {self.id}

    def as_finding(self, known_as: Iterable[str] = ()) -> Finding:
        """Return it as what gates judge, under the id that an exception knows it by, if any."""
        name = next(iter(sorted(self.ids.intersection(known_as))), self.id)
        fixed = ", ".join(self.fixed)
        return Finding(name, self.severity, self.package, self.version, fixed, self.uri)


def merge(found: Iterable[Vulnerability]) -> tuple[Vulnerability, ...]:
    """Join what is the same: one package, one version, and an id in common, over others too.

    The worst severity counts, and what any scanner knows of fixes. CVE's ids come before others.
    The worst stand first.
    """
    places: dict[tuple[str, str], list[list[Vulnerability]]] = {}
    for one in found:
        public, _, _ = one.version.partition("+")  # a local part, as of torch, not all tell
        groups = places.setdefault((_normal(one.package), public), [])
        same = [group for group in groups if any(one.ids & other.ids for other in group)]
        for group in same:
            groups.remove(group)
        groups.append([*(other for group in same for other in group), one])
    joined = (_join(group) for groups in places.values() for group in groups)
    return tuple(sorted(joined, key=lambda v: (-v.severity.rank, v.package, v.version, v.id)))


def _join(group: Sequence[Vulnerability]) -> Vulnerability:
    ids = sorted(frozenset().union(*(one.ids for one in group)), key=_preference)
    named = sorted(group, key=lambda one: (one.id != ids[0], one.sources, one.package))
    return Vulnerability(
        ids[0],
        named[0].package,
        named[0].version,
        max((one.severity for one in group), key=lambda severity: severity.rank),
        tuple(sorted({version for one in group for version in one.fixed})),
        frozenset(ids[1:]),
        tuple(sorted({source for one in group for source in one.sources})),
        next((one.uri for one in named if one.uri), ""),
    )


def _preference(id_: str) -> tuple[int, str]:
    ranks = [rank for rank, prefix in enumerate(_ORDER) if id_.startswith(prefix)]
    return (ranks[0] if ranks else len(_ORDER), id_)


def _normal(package: str) -> str:
    """Return a name as PEP 503 compares it, which leaves Debian's names as they are."""
    return re.sub(r"[-_.]+", "-", package).lower()
