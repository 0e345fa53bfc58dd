"""What tests of rules share: a workspace from a few files, and what a rule finds in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestrator.app.checking import check
from orchestrator.checks.finding import Finding
from orchestrator.report.sarif import sarif_document
from orchestrator.select import Selection
from tests.helpers import write_tree
from tests.sarif import check_sarif

BASE = "FROM debian:bookworm-slim\nUSER 1000\n"
SETTINGS = 'registry = "registry.example.com/team"\nplatforms = ["linux/amd64"]\n'


def findings(root: Path, files: Mapping[str, str], rule: str) -> tuple[Finding, ...]:
    """Write a workspace and return what a rule finds in it, which is valid SARIF too."""
    write_tree(root, {"orch.toml": SETTINGS, **files})
    checked = check(root, Selection(), [rule])
    assert not [one for one in checked.findings if one.rule != rule]
    if checked.findings:
        document = sarif_document(checked, root)
        check_sarif(document)
        said = [(row["ruleId"], row["level"]) for row in document["runs"][0]["results"]]
        assert said == [(one.rule, one.severity.value) for one in checked.findings]
    return checked.findings


def marked(root: Path, finding: Finding) -> str:
    """Return the text that a finding points at; its whole line where it names no columns."""
    region = finding.region
    assert region is not None
    line = (root / finding.file).read_text("utf-8").splitlines()[region.line - 1]
    return line[region.column - 1 : region.end_column - 1] if region.column else line
