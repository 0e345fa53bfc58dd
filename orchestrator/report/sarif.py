"""What was found as SARIF 2.1.0 (OASIS), which code hosts show beside the line."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from orchestrator import __version__
from orchestrator.checks.finding import Edit, Finding, Region
from orchestrator.checks.rule import Rule
from orchestrator.checks.run import Checked, Suppressed

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ROOT = "SRCROOT"
_NUMBER = re.compile(r"(?<=[\w]):\d+")


def sarif_document(checked: Checked, root: Path) -> dict[str, Any]:
    """Return findings as a SARIF log of one run.

    Places are relative to the workspace's root, which is not told. Fingerprints follow from what
    a finding says and the text of its line, not from the line's number: they stay when lines move.
    """
    ids = _rule_ids(checked)
    fingerprints = _Fingerprints(root)
    aside = [(item.finding, item) for item in checked.suppressed]
    found: list[tuple[Finding, Suppressed | None]] = [(item, None) for item in checked.findings]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "orch",
                        "version": __version__,
                        "semanticVersion": __version__,
                        "rules": _descriptors(checked, ids),
                    }
                },
                "originalUriBaseIds": {_ROOT: {"description": {"text": "the workspace's root"}}},
                "columnKind": "unicodeCodePoints",
                "invocations": [_invocation(checked)],
                "results": [
                    _result(finding, ids.index(finding.rule), fingerprints, by)
                    for finding, by in (*found, *aside)
                ],
            }
        ],
    }


def _rule_ids(checked: Checked) -> list[str]:
    """Return the ids of all rules that ran, and of what they passed on of other tools."""
    every = (*checked.findings, *(item.finding for item in checked.suppressed))
    passed_on = sorted({finding.rule for finding in every} - {one.id for one in checked.rules})
    return [*(one.id for one in checked.rules), *passed_on]


def _descriptors(checked: Checked, ids: Sequence[str]) -> list[dict[str, Any]]:
    known = {one.id: _descriptor(one) for one in checked.rules}
    uris = {finding.rule: finding.uri for finding in checked.findings if finding.uri}
    return [
        known.get(id_) or {"id": id_, **({"helpUri": uris[id_]} if id_ in uris else {})}
        for id_ in ids
    ]


def _descriptor(one: Rule) -> dict[str, Any]:
    """Return what a rule is; source: SARIF 2.1.0, section 3.49."""
    return {
        "id": one.id,
        "shortDescription": {"text": f"{one.title}."},
        "fullDescription": {"text": one.explanation.partition("\n## ")[0].strip()},
        "help": {"text": one.explanation, "markdown": one.explanation},
        "defaultConfiguration": {"level": one.severity.value},
    }


def _invocation(checked: Checked) -> dict[str, Any]:
    notes = [
        {"level": "warning", "message": {"text": f"{rule} was not checked: {why}"}}
        for rule, why in checked.not_run.items()
    ]
    return {
        "executionSuccessful": True,
        **({"toolExecutionNotifications": notes} if notes else {}),
    }


def _result(
    finding: Finding, index: int, fingerprints: _Fingerprints, by: Suppressed | None
) -> dict[str, Any]:
    """Return a finding; source: SARIF 2.1.0, section 3.27."""
    image = f"{finding.image}: " if finding.image else ""
    hint = f" ({finding.hint})" if finding.hint else ""
    row: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": finding.severity.value,
        "message": {"text": f"{image}{finding.message}{hint}"},
        "partialFingerprints": {"orchFinding/v1": fingerprints.of(finding)},
    }
    if finding.file:
        row["locations"] = [_location(finding)]
    if finding.fix:
        row["fixes"] = [_fix(finding)]
    if by is not None:
        kind = "inSource" if by.in_source else "external"
        row["suppressions"] = [{"kind": kind, "status": "accepted", "justification": by.reason}]
    if finding.image:
        row["properties"] = {"image": finding.image}
    return row


def _location(finding: Finding) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": _artifact(finding.file)}
    if finding.region:
        place["region"] = _region(finding.region)
    location: dict[str, Any] = {"physicalLocation": place}
    if finding.image:
        location["logicalLocations"] = [{"name": finding.image, "kind": "module"}]
    return location


def _artifact(file: str) -> dict[str, str]:
    return {"uri": quote(file), "uriBaseId": _ROOT}


def _region(region: Region) -> dict[str, int]:
    row = {"startLine": region.line}
    if region.column:
        row |= {"startColumn": region.column, "endColumn": region.end_column}
    return row


def _fix(finding: Finding) -> dict[str, Any]:
    changes: dict[str, list[dict[str, Any]]] = {}
    for edit in finding.fix:
        changes.setdefault(edit.file, []).append(_replacement(edit))
    return {
        "description": {"text": finding.hint or finding.message},
        "artifactChanges": [
            {"artifactLocation": _artifact(file), "replacements": replacements}
            for file, replacements in changes.items()
        ],
    }


def _replacement(edit: Edit) -> dict[str, Any]:
    """Return an edit of whole lines: up to the beginning of the line after them."""
    region = {"startLine": edit.line, "startColumn": 1}
    region |= {"endLine": edit.end_line + 1, "endColumn": 1}
    return {
        "deletedRegion": region,
        **({"insertedContent": {"text": f"{edit.text}\n"}} if edit.text else {}),
    }


class _Fingerprints:
    """Gives each finding a digest that does not follow from where in its file it stands."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lines: dict[str, list[str]] = {}
        self._seen: Counter[str] = Counter()

    def of(self, finding: Finding) -> str:
        message = _NUMBER.sub("", finding.message)  # it may name a line of another file
        parts = (finding.rule, finding.file, finding.image, message, self._line(finding))
        digest = _digest(parts)
        self._seen[digest] += 1  # equal lines are told apart by their order
        return _digest((digest, str(self._seen[digest])))

    def _line(self, finding: Finding) -> str:
        if not finding.region:
            return ""
        if finding.file not in self._lines:
            self._lines[finding.file] = _read_lines(self._root / finding.file)
        lines = self._lines[finding.file]
        return lines[finding.region.line - 1].strip() if finding.region.line <= len(lines) else ""


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def _read_lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
