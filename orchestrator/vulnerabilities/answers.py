"""What scanners answer, read: pip-audit, trivy and grype, each in its own JSON.

Sources: pip-audit's README, "JSON output"; Trivy's documentation, "Report formats: JSON"; Grype's
`presenter/models`. Keys that are not needed may be there or not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.publish.findings import Severity
from orchestrator.vulnerabilities.merge import Vulnerability

_SEVERITIES = {severity.value: severity for severity in Severity} | {
    "negligible": Severity.INFORMATIONAL
}


class UnreadableAnswerError(Exception):
    """What a scanner said is not what it says it says."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a scanner found, and the packages that it could not look up, with the reason."""

    found: tuple[Vulnerability, ...] = ()
    skipped: Mapping[str, str] | None = None


def parse_answer(scanner: str, output: bytes) -> Answer:
    """Read what a scanner printed.

    Raises:
        UnreadableAnswerError: It is no JSON, or of another form than the scanner's.
    """
    try:
        document = json.loads(output)
        skipped = _skipped(document) if scanner == "pip-audit" else {}
        return Answer(tuple(_PARSERS[scanner](document)), skipped)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableAnswerError(f"what {scanner} says cannot be read: {error!r}") from error


def _pip_audit(document: Mapping[str, Any]) -> Iterator[Vulnerability]:
    for package in document["dependencies"]:
        for item in package.get("vulns", ()):
            yield Vulnerability(
                item["id"],
                package["name"],
                package["version"],
                fixed=tuple(item.get("fix_versions") or ()),
                aliases=frozenset(item.get("aliases") or ()),
                sources=("pip-audit",),
                uri=f"https://osv.dev/vulnerability/{item['id']}",
            )


def _skipped(document: Mapping[str, Any]) -> dict[str, str]:
    skipped = (one for one in document["dependencies"] if "skip_reason" in one)
    return {one["name"]: one["skip_reason"] for one in skipped}


def _trivy(document: Mapping[str, Any]) -> Iterator[Vulnerability]:
    for result in document.get("Results") or ():
        for item in result.get("Vulnerabilities") or ():
            fixed = item.get("FixedVersion") or ""
            yield Vulnerability(
                item["VulnerabilityID"],
                item["PkgName"],
                item["InstalledVersion"],
                _severity(item.get("Severity")),
                tuple(part.strip() for part in fixed.split(",") if part.strip()),
                sources=("trivy",),
                uri=item.get("PrimaryURL") or "",
            )


def _grype(document: Mapping[str, Any]) -> Iterator[Vulnerability]:
    for match in document["matches"]:
        item, package = match["vulnerability"], match["artifact"]
        yield Vulnerability(
            item["id"],
            package["name"],
            package["version"],
            _severity(item.get("severity")),
            tuple((item.get("fix") or {}).get("versions") or ()),
            frozenset(other["id"] for other in match.get("relatedVulnerabilities") or ()),
            ("grype",),
            item.get("dataSource") or "",
        )


def _severity(word: str | None) -> Severity:
    return _SEVERITIES.get((word or "").lower(), Severity.UNKNOWN)


_PARSERS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Vulnerability]]] = {
    "pip-audit": _pip_audit,
    "trivy": _trivy,
    "grype": _grype,
}
