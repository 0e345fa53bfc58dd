"""Vulnerabilities from several scanners: read, joined, and none of the scanners needed.

What trivy and grype answer is written by hand here, to the forms that they document.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.publish.findings import Finding, Severity
from orchestrator.vulnerabilities.answers import UnreadableAnswerError, parse_answer
from orchestrator.vulnerabilities.merge import Vulnerability, merge
from orchestrator.vulnerabilities.scanners import Goods, Scanned, find_scanners, scan

PIP_AUDIT = {
    "dependencies": [
        {
            "name": "jinja2",
            "version": "3.1.2",
            "vulns": [
                {
                    "id": "PYSEC-2024-1",
                    "fix_versions": ["3.1.3"],
                    "aliases": ["CVE-2024-22195", "GHSA-h5c8-rqwp-cp95"],
                    "description": "...",
                }
            ],
        },
        {"name": "fine", "version": "1", "vulns": []},
    ],
    "fixes": [],
}
TRIVY = {
    "SchemaVersion": 2,
    "ArtifactType": "cyclonedx",
    "Results": [
        {"Target": "empty", "Class": "os-pkgs"},
        {
            "Target": "Python",
            "Class": "lang-pkgs",
            "Type": "python-pkg",
            "Vulnerabilities": [
                {
                    "VulnerabilityID": "CVE-2024-22195",
                    "PkgName": "Jinja2",
                    "InstalledVersion": "3.1.2",
                    "FixedVersion": "3.1.3, 4.0",
                    "Severity": "MEDIUM",
                    "PrimaryURL": "https://avd.example.com/cve-2024-22195",
                }
            ],
        },
        {
            "Target": "debian",
            "Class": "os-pkgs",
            "Type": "debian",
            "Vulnerabilities": [
                {
                    "VulnerabilityID": "CVE-2023-0001",
                    "PkgName": "libssl3",
                    "InstalledVersion": "3.0.11-1~deb12u2",
                    "Severity": "CRITICAL",
                }
            ],
        },
    ],
}
GRYPE = {
    "matches": [
        {
            "vulnerability": {
                "id": "GHSA-h5c8-rqwp-cp95",
                "dataSource": "https://github.example.com/GHSA",
                "severity": "High",
                "fix": {"versions": ["3.1.3"], "state": "fixed"},
            },
            "relatedVulnerabilities": [{"id": "CVE-2024-22195", "namespace": "nvd:cpe"}],
            "artifact": {"name": "jinja2", "version": "3.1.2", "type": "python"},
        },
        {
            "vulnerability": {"id": "CVE-2011-1", "severity": "Negligible", "fix": None},
            "artifact": {"name": "apt", "version": "2.6.1", "type": "deb"},
        },
    ]
}
ANSWERS: dict[str, Any] = {"pip-audit": PIP_AUDIT, "trivy": TRIVY, "grype": GRYPE}
GOODS = Goods((("jinja2", "3.1.2"), ("torch", "2.1.0+cpu")), b'{"bomFormat": "CycloneDX"}')


def answer(scanner: str) -> tuple[Vulnerability, ...]:
    return parse_answer(scanner, json.dumps(ANSWERS[scanner]).encode()).found


def program(folder: Path, name: str, answer: object, code: int = 0) -> Path:
    """Write a program that prints an answer, and keeps its words and what it was given."""
    (folder / f"{name}.json").write_text(json.dumps(answer), "utf-8")
    file = folder / name
    lines = [
        "#!/bin/sh",
        f'echo "$@" > {folder}/{name}.words',
        f'for last; do :; done; cat "${{last#sbom:}}" > {folder}/{name}.given',
        f"cat {folder}/{name}.json; exit {code}",
    ]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    file.chmod(0o755)
    return file


def test_one_vulnerability_that_three_scanners_tell_of_is_one() -> None:
    joined = merge(itertools.chain(*map(answer, ANSWERS)))
    assert [(one.id, one.package, one.severity.value) for one in joined] == [
        ("CVE-2023-0001", "libssl3", "critical"),
        ("CVE-2024-22195", "Jinja2", "high"),
        ("CVE-2011-1", "apt", "informational"),
    ]
    jinja = joined[1]
    assert jinja.sources == ("grype", "pip-audit", "trivy")
    assert jinja.aliases == {"PYSEC-2024-1", "GHSA-h5c8-rqwp-cp95"}
    assert jinja.fixed == ("3.1.3", "4.0")
    assert jinja.uri == "https://avd.example.com/cve-2024-22195"


def test_the_order_in_which_scanners_answer_makes_no_difference() -> None:
    found = list(itertools.chain(*map(answer, ANSWERS)))
    assert len({merge(order) for order in itertools.permutations(found)}) == 1


def test_ids_join_over_others() -> None:
    one = Vulnerability("A", "p", "1", aliases=frozenset({"B"}))
    other = Vulnerability("C", "p", "1", aliases=frozenset({"D"}))
    between = Vulnerability("D", "p", "1", aliases=frozenset({"B"}))
    assert len(merge([one, other])) == 2
    assert [found.ids for found in merge([one, other, between])] == [{"A", "B", "C", "D"}]


@pytest.mark.parametrize(("package", "version"), [("q", "1"), ("p", "2")])
def test_other_packages_and_versions_stay_apart(package: str, version: str) -> None:
    found = [Vulnerability("CVE-1", "p", "1"), Vulnerability("CVE-1", package, version)]
    assert len(merge(found)) == 2


def test_a_local_version_is_the_one_that_the_index_has() -> None:
    found = [Vulnerability("CVE-1", "torch", "2.1.0+cpu"), Vulnerability("CVE-1", "torch", "2.1.0")]
    assert len(merge(found)) == 1


def test_an_exception_by_any_of_its_ids_is_one() -> None:
    (found,) = answer("pip-audit")
    assert found.as_finding().name == "PYSEC-2024-1"
    assert found.as_finding(["GHSA-h5c8-rqwp-cp95", "CVE-1"]).name == "GHSA-h5c8-rqwp-cp95"


@pytest.mark.parametrize("scanner", ANSWERS)
@pytest.mark.parametrize("output", [b"", b"[1]", b"null", b"\xff", b"[" * 9, b'{"matches": 3'])
def test_an_answer_of_another_form_is_refused(scanner: str, output: bytes) -> None:
    with pytest.raises(UnreadableAnswerError, match=f"what {scanner} says cannot be read"):
        parse_answer(scanner, output)


def test_trivy_leaves_out_what_is_empty() -> None:
    assert not parse_answer("trivy", b'{"SchemaVersion": 2}').found


def test_every_scanner_is_asked_about_what_it_can_read(tmp_path: Path) -> None:
    programs = {name: program(tmp_path, name, said) for name, said in ANSWERS.items()}
    scanned = scan(programs, GOODS)
    assert scanned.asked == ("pip-audit", "trivy", "grype")
    assert not scanned.problems
    assert len(scanned.found) == 3
    assert (tmp_path / "pip-audit.given").read_text() == "jinja2==3.1.2\ntorch==2.1.0\n"
    for name in ("trivy", "grype"):
        assert (tmp_path / f"{name}.given").read_bytes() == GOODS.bill
    assert "--disable-pip --no-deps" in (tmp_path / "pip-audit.words").read_text()


def test_finding_something_is_no_failure_of_a_scanner(tmp_path: Path) -> None:
    scanned = scan({"pip-audit": program(tmp_path, "pip-audit", PIP_AUDIT, code=1)}, GOODS)
    assert [one.id for one in scanned.found] == ["CVE-2024-22195"]
    assert not scanned.problems


def test_a_scanner_that_fails_is_named_and_the_others_count(tmp_path: Path) -> None:
    broken = tmp_path / "grype"
    broken.write_text("#!/bin/sh\necho trouble >&2\necho no database >&2\nexit 1\n", "utf-8")
    broken.chmod(0o755)
    programs = {"trivy": program(tmp_path, "trivy", TRIVY), "grype": broken}
    scanned = scan({**programs, "pip-audit": tmp_path / "none"}, GOODS)
    assert scanned.asked == ("trivy",)
    assert scanned.problems[0] == "grype: failed: no database"
    assert scanned.problems[1].startswith("pip-audit: ")


def test_packages_that_nobody_could_look_up_are_not_called_sound(tmp_path: Path) -> None:
    skipped = [{"name": name, "skip_reason": "not found"} for name, _ in GOODS.python]
    silent = program(tmp_path, "pip-audit", {"dependencies": skipped, "fixes": []})
    assert scan({"pip-audit": silent}, GOODS) == Scanned(
        problems=("pip-audit: jinja2 and 1 more could not be looked up (not found)",)
    )


def test_what_a_registry_found_joins(tmp_path: Path) -> None:
    others = [Finding("CVE-2024-22195", Severity.CRITICAL, "jinja2", "3.1.2", "3.1.3")]
    (found,) = scan({"pip-audit": program(tmp_path, "pip-audit", PIP_AUDIT)}, GOODS, others).found
    assert found.severity is Severity.CRITICAL
    assert found.sources == ("ECR", "pip-audit")


def test_scanners_are_found_beside_python_and_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, path = tmp_path / "bin", tmp_path / "path"
    for folder, name in ((beside, "pip-audit"), (path, "pip-audit"), (path, "grype")):
        folder.mkdir(exist_ok=True)
        program(folder, name, {})
    monkeypatch.setattr("sys.executable", str(beside / "python"))
    monkeypatch.setenv("PATH", str(path))
    assert find_scanners() == {"pip-audit": beside / "pip-audit", "grype": path / "grype"}


def test_without_any_scanner_nothing_is_found_and_nobody_was_asked() -> None:
    assert scan({}, GOODS) == Scanned()
