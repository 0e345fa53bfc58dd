"""Known vulnerabilities as findings at the definitions of their images, for SARIF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from orchestrator.checks.finding import Finding
from orchestrator.checks.finding import Severity as Level
from orchestrator.publish.findings import Severity
from orchestrator.vulnerabilities.merge import Vulnerability

_LEVELS: Mapping[Severity, Level] = MappingProxyType(
    {
        Severity.CRITICAL: Level.ERROR,
        Severity.HIGH: Level.ERROR,
        Severity.MEDIUM: Level.WARNING,
    }
)


def vulnerability_findings(
    found: Iterable[Vulnerability], image: str, file: str
) -> Iterator[Finding]:
    """Yield vulnerabilities of an image as findings at the file that defines it."""
    for one in found:
        versions = ", ".join(one.fixed)
        yield Finding(
            one.id,
            _LEVELS.get(one.severity, Level.NOTE),
            f"{one.package} {one.version} has {one.id} ({one.severity.value}), as "
            f"{', '.join(one.sources)} know it",
            f"fixed in {versions}" if versions else "no fixed version is known",
            file,
            image=image,
            uri=one.uri,
        )
