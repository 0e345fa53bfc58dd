"""The scanners of this machine: which there are, and running them. None of them is needed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.publish.findings import Finding
from orchestrator.scratch import scratch_folder
from orchestrator.vulnerabilities.answers import Answer, UnreadableAnswerError, parse_answer
from orchestrator.vulnerabilities.merge import Vulnerability, merge

_TIMEOUT_S = 600
SCANNERS = ("pip-audit", "trivy", "grype")


@dataclass(frozen=True, slots=True)
class Goods:
    """What is to be looked up: pinned Python packages, and all there is as CycloneDX (JSON)."""

    python: tuple[tuple[str, str], ...] = ()
    bill: bytes = b""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What all scanners together found; `asked` are those that answered, `problems` say why not."""

    found: tuple[Vulnerability, ...] = ()
    asked: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def find_scanners() -> dict[str, Path]:
    """Return the scanners that there are, beside the Python that runs orch or on the PATH."""
    beside = {name: Path(sys.executable).with_name(name) for name in SCANNERS}
    found = {n: str(path) if path.is_file() else shutil.which(n) for n, path in beside.items()}
    return {name: Path(path) for name, path in found.items() if path}


def scan(programs: Mapping[str, Path], goods: Goods, others: Iterable[Finding] = ()) -> Scanned:
    """Ask every scanner, and join what they say; `others` are findings of a registry's scan.

    A scanner that fails is a problem, and the others count.
    """
    found = [_of_registry(one) for one in others]
    asked, problems = [], []
    for name, program in programs.items():
        try:
            answer = _ask(name, program, goods)
        except (OSError, subprocess.SubprocessError, UnreadableAnswerError) as error:
            problems.append(f"{name}: {str(error).partition(chr(10))[0]}")
            continue
        found += answer.found
        if answer.skipped:
            problems.append(_not_audited(name, answer.skipped))
        if len(answer.skipped or ()) < len(goods.python) or name != "pip-audit":
            asked.append(name)
    return Scanned(merge(found), tuple(asked), tuple(problems))


def _of_registry(one: Finding) -> Vulnerability:
    fixed = (one.fixed,) if one.fixed else ()
    return Vulnerability(
        one.name, one.package, one.installed, one.severity, fixed, sources=("ECR",), uri=one.uri
    )


def _not_audited(name: str, skipped: Mapping[str, str]) -> str:
    """Say what was not looked up: a scanner that knows no package finds none at fault either."""
    first = next(iter(skipped))
    more = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
    return f"{name}: {first}{more} could not be looked up ({skipped[first]})"


def _ask(name: str, program: Path, goods: Goods) -> Answer:
    if name == "pip-audit" and not goods.python:
        return Answer()
    with scratch_folder() as folder:
        requirements, bill = folder / "requirements.txt", folder / "sbom.cdx.json"
        requirements.write_text("".join(map(_requirement, goods.python)), "utf-8")
        bill.write_bytes(goods.bill)
        given = requirements if name == "pip-audit" else bill
        command = [str(program), *_words(name, given)]
        done = subprocess.run(command, capture_output=True, check=False, timeout=_TIMEOUT_S)
    try:
        return parse_answer(name, done.stdout)
    except UnreadableAnswerError:
        if done.returncode == 0:
            raise
        said = done.stderr.decode(errors="replace").strip().splitlines()
        why = said[-1] if said else f"it ended with {done.returncode}"
        raise UnreadableAnswerError(f"failed: {why}") from None


def _requirement(package: tuple[str, str]) -> str:
    """Return a line for pip-audit, which looks up versions without their local part."""
    name, version = package
    return f"{name}=={version.partition('+')[0]}\n"


def _words(name: str, given: Path) -> Sequence[str]:
    """Return the words after a scanner's name; a found vulnerability may be an exit code of 1."""
    if name == "pip-audit":
        quiet = ("--progress-spinner", "off", "--format", "json")
        return ("--disable-pip", "--no-deps", *quiet, "--requirement", str(given))
    if name == "trivy":
        return ("sbom", "--quiet", "--format", "json", "--scanners", "vuln", str(given))
    return ("--quiet", "--output", "json", f"sbom:{given}")
