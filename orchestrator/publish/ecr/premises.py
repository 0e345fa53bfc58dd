"""ECR as the host of what is pushed: repositories as the settings want them, scans waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.errors import OrchError
from orchestrator.model import ScanException
from orchestrator.publish.crew import Crew
from orchestrator.publish.ecr.api import Ecr, EcrError, NotAllowedError
from orchestrator.publish.ecr.wish import Found, Wish, differences, same_policy
from orchestrator.publish.findings import GateError, Scan, ScanStatus, Verdict, judge
from orchestrator.publish.outgoing import OutgoingImage
from orchestrator.publish.reference import Repository

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 15.0
_GROWTH = 1.5
_GRACE = 3
"""How often a scan may be absent that should begin by itself, before it is asked for."""


@dataclass(frozen=True, slots=True)
class ScanGate:
    """Which findings count, by image; `today` is `YYYY-MM-DD`."""

    thresholds: Mapping[str, str]
    exceptions: tuple[ScanException, ...]
    today: str
    timeout_s: float


@dataclass(frozen=True, slots=True)
class EcrPremises:
    """Makes repositories and waits for scans; `notes` take what a person should know.

    `rest` waits, and `clock` tells the seconds meanwhile; `on_wait` is told of each image that is
    waited for. With `creates` false, repositories that lack are errors.
    """

    ecr: Ecr
    crew: Crew
    wish: Wish
    gate: ScanGate
    rest: Callable[[float], None]
    notes: list[str]
    on_wait: Callable[[OutgoingImage], None] = lambda _: None
    creates: bool = True
    clock: Callable[[], float] = time.monotonic
    _found: dict[str, Found] = field(default_factory=dict)

    def prepare(
        self, repositories: Sequence[Repository], *, dry_run: bool
    ) -> Mapping[Repository, OrchError]:
        """Create what lacks; of what is there, say how it differs from the settings.

        Raises:
            EcrError: ECR does not say what is there.
        """
        names = sorted(repository.name for repository in repositories)
        self._found.update(self.ecr.describe(names) if names else {})
        there = [name for name in names if name in self._found]
        policies = self.crew.each(self._policy, there).raise_first()
        for name in there:
            if what := self._differences(self._found[name], policies[name]):
                self.notes.append(f"repository {name} is left as it is: {', '.join(what)}")
        lacking = [item for item in repositories if item.name not in self._found]
        if dry_run:
            self.notes.extend(f"repository {item.name} would be created" for item in lacking)
            return {}
        if not self.creates:
            return {item: _missing(item) for item in lacking}
        made = self.crew.each(lambda item: self.ecr.create(item.name, self.wish), lacking)
        self.notes.extend(f"repository {item.name} was created" for item in made.results)
        self._found.update({item.name: _as_wished(self.wish) for item in made.results})
        return made.errors

    def examine(self, image: OutgoingImage) -> Verdict | None:
        """Wait for the scans of an image's manifests and judge them.

        Raises:
            EcrError: ECR does not tell what was found.
            GateError: A scan failed, or takes too long.
        """
        threshold = self.gate.thresholds[image.name]
        if threshold == "none":
            return None
        self.on_wait(image)
        began_s = self.clock()
        scans = [
            self._await_scan(image, platform.manifest.digest, began_s)
            for platform in image.platforms
        ]
        verdict = judge(scans, threshold, self.gate.exceptions, image.name, self.gate.today)
        self.notes.extend(
            f"{image.name}: {finding} is put up with until {item.until}: {item.reason}"
            for finding, item in verdict.excepted
        )
        if verdict.status is ScanStatus.UNSUPPORTED:
            self.notes.append(f"{image.name}: ECR cannot scan it, and the gate lets it pass")
        return verdict

    def _await_scan(self, image: OutgoingImage, digest: str, began_s: float) -> Scan:
        name = image.repository.name
        found = self._found.get(name)
        patience = 0 if found is not None and not found.scan_on_push else _GRACE
        wait_s = _FIRST_WAIT_S
        while True:
            scan = self.ecr.scan(name, digest)
            if scan.status is ScanStatus.FAILED:
                raise GateError(
                    f"the scan of {image.repository}@{digest} failed: {scan.description}",
                    hint='push again, or set severity = "none" for the image',
                )
            if scan.status not in {ScanStatus.ABSENT, ScanStatus.IN_PROGRESS}:
                return scan
            if scan.status is ScanStatus.ABSENT:
                if patience == 0 and not self.ecr.start_scan(name, digest):
                    return Scan(ScanStatus.UNSUPPORTED)
                patience -= 1
            if self.clock() + wait_s - began_s > self.gate.timeout_s:
                raise GateError(
                    f"the findings of {image.repository}@{digest} did not come within "
                    f"{self.gate.timeout_s:.0f} s",
                    hint="push again later: nothing is sent twice; or raise scan-timeout under "
                    "[ecr]",
                )
            self.rest(wait_s)
            wait_s = min(wait_s * _GROWTH, _LONGEST_WAIT_S)

    def _policy(self, name: str) -> str | None:
        """Return a lifecycle policy; None where that may not be known or is not asked for."""
        try:
            return self.ecr.lifecycle(name) if self.wish.lifecycle else None
        except NotAllowedError:
            return None

    def _differences(self, found: Found, policy: str | None) -> list[str]:
        what = differences(self.wish, found)
        if policy is not None and not same_policy(policy, self.wish.lifecycle):
            what.append("its lifecycle policy is another one" if policy else "no lifecycle policy")
        return what


def _missing(repository: Repository) -> EcrError:
    return EcrError(
        f"{repository} does not exist",
        hint="create it, or set create-repositories = true under [ecr]",
    )


def _as_wished(wish: Wish) -> Found:
    return Found(wish.scan_on_push, wish.encryption_type, wish.kms_key, wish.mutability)
