"""Runs of `orch check` over small workspaces, and what they found."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from orchestrator.checks.run import Checked
from orchestrator.cli import orch
from orchestrator.errors import OrchError
from tests.rule_cases import ASKS, BASE_ASKS

AGAIN = {BASE_ASKS: "fastapi\n", ASKS: "flask\nfastapi  # web\n"}


def ids(checked: Checked) -> list[str]:
    return [finding.rule for finding in checked.findings]


def run(root: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(orch, ["-C", str(root), "check", *arguments], standalone_mode=False)
    if result.exception and not isinstance(result.exception, OrchError):
        raise result.exception
    return result
