"""What `orch check` found, as text and as JSON; keys are only ever added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from orchestrator.checks.finding import Finding, Severity
from orchestrator.checks.rule import Rule
from orchestrator.checks.run import Checked


def check_lines(checked: Checked) -> Iterator[str]:
    """Yield each finding: place, severity, what is wrong and the rule; below it the hint."""
    for finding in checked.findings:
        where = f"{finding.where}: " if finding.where else ""
        image = f"{finding.image}: " if finding.image else ""
        yield f"{where}{finding.severity.value}: {image}{finding.message} [{finding.rule}]"
        if finding.hint:
            yield f"    {finding.hint}"


def rule_lines(rules: Iterable[Rule]) -> Iterator[str]:
    """Yield each rule: its id, its severity and its title."""
    rules = tuple(rules)
    width = max((len(one.id) for one in rules), default=0)
    for one in rules:
        yield f"{one.id:{width}}  {one.severity.value:7}  {one.title}"


def summary(checked: Checked) -> str:
    """Return a line about it all."""
    counts = [_count(checked.count(severity), severity.value) for severity in Severity]
    found = ", ".join(text for text in counts if text) or "nothing found"
    aside = f"; {len(checked.suppressed)} suppressed" if checked.suppressed else ""
    fixable = sum(bool(finding.fix) for finding in checked.findings)
    fix = f"; --fix puts {fixable} right" if fixable else ""
    images = _count(checked.images, "image")
    return f"{found} in {images or 'no images'}{aside}{fix}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}" if number else ""


def check_document(checked: Checked) -> dict[str, Any]:
    """Return what was found, `orch.check/1`."""
    return {
        "schema": "orch.check/1",
        "ok": not checked.count(Severity.ERROR),
        "images": checked.images,
        "not_run": dict(checked.not_run),
        "findings": [_finding(finding) for finding in checked.findings],
        "suppressed": [
            {**_finding(item.finding), "reason": item.reason} for item in checked.suppressed
        ],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    region = finding.region
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "message": finding.message,
        "hint": finding.hint,
        "image": finding.image,
        "file": finding.file,
        "line": region.line if region else None,
        "column": region.column or None if region else None,
        "end_column": region.end_column or None if region else None,
        "fixable": bool(finding.fix),
    }
