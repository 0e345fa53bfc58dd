"""Whether an image may have the vulnerabilities that were found in it. Decides alone."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.model import ScanException
from orchestrator.publish.findings import Scan, ScanStatus, judge
from orchestrator.verify.gate import Verdict, failed, listed, not_checked, passed
from orchestrator.vulnerabilities.scanners import SCANNERS, Scanned

_SHOWN = 3


def verdict_of(
    scanned: Scanned, threshold: str, exceptions: Sequence[ScanException], image: str, today: str
) -> Verdict | None:
    """Hold what was found against a severity; None where it is "none". `today` is YYYY-MM-DD.

    Exceptions hold as they do for scans of ECR, under any id of a vulnerability. Where nobody
    answered nothing can be said: no finding of nobody is no proof.
    """
    if threshold == "none":
        return None
    if not scanned.asked:
        nobody = f"none of {', '.join(SCANNERS)} is installed, and no registry has scanned it"
        return not_checked("; ".join(scanned.problems) or nobody)
    findings = tuple(one.as_finding(item.finding for item in exceptions) for one in scanned.found)
    scans = [Scan(ScanStatus.COMPLETE, findings)]
    verdict = judge(scans, threshold, exceptions, image, today)
    evidence = {
        "asked": list(scanned.asked),
        "problems": list(scanned.problems),
        "counts": dict(verdict.counts),
        "failing": [str(one) for one in verdict.failing],
        "excepted": [one.name for one, _ in verdict.excepted],
    }
    asked = f"{threshold} or worse, as {', '.join(scanned.asked)} know it"
    if verdict.failing:
        shown = listed([str(one) for one in verdict.failing], _SHOWN)
        return failed(f"{len(verdict.failing)} of {asked}: {shown}", **evidence)
    return passed(f"none of {asked}", **evidence)
