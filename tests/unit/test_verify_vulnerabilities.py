"""`orch verify --vulnerabilities`, with scanners that are played."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model import ScanException
from orchestrator.publish.findings import Severity
from orchestrator.verify.gate import Result
from orchestrator.vulnerabilities.judging import verdict_of
from orchestrator.vulnerabilities.merge import Vulnerability
from orchestrator.vulnerabilities.scanners import Scanned
from tests.helpers import ROOT, write_lock, write_workspace
from tests.sarif import check_sarif
from tests.verbs import exit_code

TODAY = "2026-01-31"
BAD = Vulnerability("CVE-1", "p", "1", Severity.CRITICAL, ("2",), frozenset({"GHSA-1"}))
FOUND = Scanned((BAD,), ("trivy",))
TRIVY = {
    "Results": [
        {
            "Vulnerabilities": [
                {
                    "VulnerabilityID": "CVE-2024-1",
                    "PkgName": "libx",
                    "InstalledVersion": "1.0-1",
                    "Severity": "CRITICAL",
                }
            ]
        }
    ]
}


def result(scanned: Scanned, threshold: str, *exceptions: ScanException) -> Result | None:
    verdict = verdict_of(scanned, threshold, exceptions, "api", TODAY)
    return verdict.result if verdict else None


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [("critical", Result.FAILED), ("low", Result.FAILED), ("none", None)],
)
def test_what_is_as_bad_as_the_threshold_fails(threshold: str, expected: Result | None) -> None:
    assert result(FOUND, threshold) is expected


def test_what_is_less_bad_passes() -> None:
    less = Scanned((Vulnerability("CVE-1", "p", "1", Severity.HIGH),), ("grype",))
    assert result(less, "critical") is Result.PASSED


@pytest.mark.parametrize("known_as", ["CVE-1", "GHSA-1"])
def test_an_exception_holds_for_any_id_until_its_day(known_as: str) -> None:
    assert result(FOUND, "high", ScanException(known_as, TODAY, "why")) is Result.PASSED
    assert result(FOUND, "high", ScanException(known_as, "2026-01-30", "why")) is Result.FAILED
    other = ScanException(known_as, TODAY, "why", ("web-*",))
    assert result(FOUND, "high", other) is Result.FAILED


def test_where_nobody_answers_nothing_is_said() -> None:
    assert result(Scanned(), "high") is Result.NOT_CHECKED
    verdict = verdict_of(Scanned(problems=("grype: no database",)), "high", (), "api", TODAY)
    assert verdict is not None
    assert verdict.says == "grype: no database"


@pytest.fixture
def verified(
    tmp_path: Path,
    orch_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[[str], tuple[int, Any, str]]:
    """Return a function: what a trivy that runs a script makes of the verdict, SARIF and words."""
    write_workspace(tmp_path / "ws", {"base/a": f'from = "{ROOT}"\n'})
    write_lock(tmp_path / "ws")
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin/python"))
    verb = partial(exit_code, "-C", tmp_path / "ws")

    def verify(script: str) -> tuple[int, Any, str]:
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin/trivy").write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        (tmp_path / "bin/trivy").chmod(0o755)
        capsys.readouterr()
        sarif = tmp_path / "found.sarif"
        code = verb("verify", "--runtime", "none", "--vulnerabilities", sarif)
        return code, json.loads(sarif.read_text("utf-8")), "".join(capsys.readouterr())

    assert verb("build") == 0
    return verify


Verify = Callable[[str], tuple[int, Any, str]]


def test_what_a_scanner_finds_fails_the_gate_and_is_written(verified: Verify) -> None:
    code, sarif, said = verified(f"echo '{json.dumps(TRIVY)}'")
    assert code == 1
    check_sarif(sarif)
    assert "CVE-2024-1" in said
    (row,) = sarif["runs"][0]["results"]
    assert (row["ruleId"], row["level"]) == ("CVE-2024-1", "error")
    place = row["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place["uri"] == "base/a/image.toml"


def test_a_scanner_gets_the_images_bill_of_materials(verified: Verify, tmp_path: Path) -> None:
    keep = f'for last; do :; done; cat "$last" > {tmp_path}/given'
    assert verified(f"{keep}; echo '{{}}'")[0] == 0
    assert json.loads((tmp_path / "given").read_text("utf-8"))["bomFormat"] == "CycloneDX"


def test_a_scanner_that_fails_is_no_failure_of_the_image(verified: Verify) -> None:
    code, sarif, said = verified("echo no database >&2; exit 1")
    assert code == 0
    assert sarif["runs"][0]["results"] == []
    assert "trivy: failed: no database" in said
