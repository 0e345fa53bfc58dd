"""What scans find in images, and which findings keep an image from being tagged."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from orchestrator.errors import OrchError
from orchestrator.model import ScanException

_SHOWN = 10


class Severity(Enum):
    """How bad a finding is; of unknown severity is what nobody has judged yet."""

    UNKNOWN = "unknown"
    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return its place in the order, the least bad first."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """A vulnerability of a package; what the scanner does not tell is empty."""

    name: str
    severity: Severity
    package: str = ""
    installed: str = ""
    fixed: str = ""
    uri: str = ""

    def __str__(self) -> str:
        """Return it as part of a sentence."""
        where = " ".join(part for part in (self.package, self.installed) if part)
        fixed = f"fixed in {self.fixed}" if self.fixed else "no fixed version told"
        return f"{self.name} ({self.severity.value}) in {where or 'the image'}, {fixed}"


class ScanStatus(Enum):
    """How far a scan is."""

    COMPLETE = "complete"
    IN_PROGRESS = "in-progress"
    ABSENT = "absent"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan of one manifest; `completed` is when, as ISO 8601."""

    status: ScanStatus
    findings: tuple[Finding, ...] = ()
    completed: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What scans of an image came to; `threshold` is the lowest severity that counts.

    `failing` are findings that count, `excepted` those that would but for an exception.
    """

    threshold: str
    status: ScanStatus
    completed: str = ""
    counts: tuple[tuple[str, int], ...] = ()
    failing: tuple[Finding, ...] = ()
    excepted: tuple[tuple[Finding, ScanException], ...] = ()
    expired: tuple[ScanException, ...] = ()

    @property
    def error(self) -> OrchError | None:
        """Return why the image may not be tagged, or nothing where it may."""
        if not self.failing:
            return None
        shown = "; ".join(map(str, self.failing[:_SHOWN]))
        more = len(self.failing) - _SHOWN
        count = len(self.failing)
        what = f"{count} finding{'' if count == 1 else 's'} of at least {self.threshold} severity"
        expired = "".join(f"; its exception ended on {item.until}" for item in self.expired)
        return GateError(
            f"{what}: {shown}{f'; and {more} more' if more > 0 else ''}{expired}",
            hint="lock a version without it (orch lock --upgrade-package NAME), or put up with it "
            "until a day under [[ecr.exceptions]]",
        )


class GateError(OrchError):
    """A gate keeps an image from being tagged."""


def judge(
    scans: Sequence[Scan],
    threshold: str,
    exceptions: Iterable[ScanException],
    image: str,
    today: str,
) -> Verdict:
    """Decide what the scans of an image's manifests mean; `today` is `YYYY-MM-DD`.

    An exception holds on its last day too. One that has ended is named with what it was for.
    """
    known = {finding: None for scan in scans for finding in scan.findings}
    counting = [f for f in known if f.severity.rank >= Severity(threshold).rank]
    counting.sort(key=lambda f: (-f.severity.rank, f.name, f.package, f.installed))
    mine = [item for item in exceptions if _is_for(item, image)]
    holding = {item.finding: item for item in mine if item.until >= today}
    ended = {item.finding: item for item in mine if item.until < today}
    failing = tuple(finding for finding in counting if finding.name not in holding)
    counts = Counter(finding.severity for finding in known)
    statuses = {scan.status for scan in scans}
    return Verdict(
        threshold,
        ScanStatus.UNSUPPORTED if ScanStatus.UNSUPPORTED in statuses else ScanStatus.COMPLETE,
        max((scan.completed for scan in scans), default=""),
        tuple((item.value, counts[item]) for item in reversed(Severity) if counts[item]),
        failing,
        tuple((finding, holding[finding.name]) for finding in counting if finding.name in holding),
        tuple(ended[name] for name in dict.fromkeys(f.name for f in failing) if name in ended),
    )


def _is_for(exception: ScanException, image: str) -> bool:
    return not exception.images or any(fnmatch.fnmatchcase(image, i) for i in exception.images)
