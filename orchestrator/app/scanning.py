"""Known vulnerabilities of images on trial: every scanner asked, and the gate that judges."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.app.opened import Opened
from orchestrator.app.told import Told
from orchestrator.checks.run import Checked
from orchestrator.errors import OrchError
from orchestrator.lockfile import Lock
from orchestrator.model import Platform
from orchestrator.publish.findings import Scan, ScanStatus
from orchestrator.publish.reference import Namespace
from orchestrator.report.vulnerabilities import vulnerability_findings
from orchestrator.verify.gate import Gate, Subject, Verdict
from orchestrator.verify.gates import Judged
from orchestrator.vulnerabilities.judging import verdict_of
from orchestrator.vulnerabilities.scanners import Goods, Scanned, find_scanners, scan


@dataclass(frozen=True)
class Scanning:
    """Asks scanners about images; threads may share one. `scanned` is what they found in each."""

    opened: Opened
    lock: Lock
    told: Told
    programs: dict[str, Path] = field(default_factory=find_scanners)
    scanned: dict[tuple[str, Platform], Scanned] = field(default_factory=dict)

    def judge(self, subject: Subject) -> tuple[Judged, ...]:
        """Ask about an image, and hold what is found against the severity that is set for it.

        Raises:
            OrchError: What the image consists of cannot be told.
        """
        scanned = self.scanned[subject.image.name, subject.platform] = self._scan(subject)

        def judged(one: Subject) -> Verdict | None:
            ecr = self.opened.workspace.settings.ecr
            today = datetime.now(UTC).strftime("%Y-%m-%d")
            threshold = one.gates.severity or ecr.severity
            return verdict_of(scanned, threshold, ecr.exceptions, one.image.name, today)

        gate = Gate("vulnerabilities", "known vulnerabilities", judged)
        verdict = judged(subject)
        return (Judged(gate, verdict),) if verdict else ()

    def checked(self) -> Checked:
        """Return what was found as findings of a check, at the images' definitions."""
        images = self.opened.graph.images
        findings = {
            finding: None
            for (name, _), scanned in sorted(self.scanned.items(), key=lambda item: item[0])
            for finding in vulnerability_findings(scanned.found, name, str(images[name].file))
        }
        problems = [one for scanned in self.scanned.values() for one in scanned.problems]
        not_run = dict(problem.split(": ", 1) for problem in problems)
        return Checked((), tuple(findings), not_run=not_run, images=len(self.scanned))

    def _scan(self, subject: Subject) -> Scanned:
        name, platform = subject.image.name, subject.platform
        adds = [self.lock.images.get((one.name, platform)) for one in self.opened.graph.chain(name)]
        python = {(wheel.name, wheel.version) for part in adds if part for wheel in part.wheels}
        bill = self.told.sbom(name, platform, subject.digest)
        problem, registry = "", None
        try:
            registry = self._registry_scan(name, subject.digest)
        except OrchError as error:
            problem = f"ECR: {error.message}"
        goods = Goods(tuple(sorted(python)), bill)
        scanned = scan(self.programs, goods, registry.findings if registry else ())
        return replace(
            scanned,
            asked=(*(["ECR"] if registry else []), *scanned.asked),
            problems=(*scanned.problems, *([problem] if problem else [])),
        )

    def _registry_scan(self, name: str, digest: str) -> Scan | None:
        """Return what ECR found in an image that was pushed; None without ECR or a scan."""
        from orchestrator.publish.ecr.address import address_of  # noqa: PLC0415 - where asked
        from orchestrator.publish.ecr.client import BotoEcr  # noqa: PLC0415 - slow to import

        settings = self.opened.workspace.settings
        if not settings.registry:
            return None
        namespace = Namespace.parse(settings.registry)
        address = address_of(namespace.host, settings.ecr)
        if address is None:
            return None
        found = BotoEcr(address, settings.ecr).scan(namespace.repository(name).name, digest)
        return found if found.status is ScanStatus.COMPLETE else None
