"""`orch verify`: images that are up to date, put on trial and judged."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

from orchestrator.app.opened import Opened, at_work, read_lock
from orchestrator.app.publishable import collect
from orchestrator.app.scanning import Scanning
from orchestrator.app.told import Told
from orchestrator.app.trying import Bench
from orchestrator.checks.run import Checked
from orchestrator.publish.crew import Crew
from orchestrator.select import Selection
from orchestrator.state import State, Verification
from orchestrator.verify.gate import Result, Subject
from orchestrator.verify.gates import Verified, judge

MEMORY_BYTES = 2_000_000_000


class Use(Enum):
    """Whether containers are run: if Docker is there, or must, or must not."""

    AUTO = "auto"
    DOCKER = "docker"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What to verify, and how; `jobs` 0 means as many at once as there are processors.

    With `vulnerabilities` scanners are asked too.
    """

    selection: Selection = field(default_factory=Selection)
    use: Use = Use.AUTO
    jobs: int = 0
    memory_bytes: int = MEMORY_BYTES
    vulnerabilities: bool = False


@dataclass(frozen=True, slots=True)
class VerifyRun:
    """What a verification came to; `no_engine` says why no container was run, if none was.

    `engine` is the version of the one that ran them. `scanned` is what scanners found, where they
    were asked.
    """

    images: tuple[Verified, ...]
    unavailable: Mapping[str, str]
    notes: tuple[str, ...]
    engine: str = ""
    no_engine: str = ""
    duration_s: float = 0.0
    scanned: Checked | None = None

    @property
    def ok(self) -> bool:
        """Tell whether no gate of any image failed."""
        return all(image.ok for image in self.images)

    @property
    def is_complete(self) -> bool:
        """Tell whether every gate could be checked."""
        return not any(image.with_result(Result.NOT_CHECKED) for image in self.images)


@at_work
def verify(opened: Opened, options: VerifyOptions) -> VerifyRun:
    """Verify the selected images, which are up to date; what came of each is remembered.

    Raises:
        WorkspaceError: An image is not up to date.
        MissingToolError: Docker is asked for, and does not answer.
    """
    clock = time.monotonic()
    collected = collect(opened, options.selection)
    steps = {
        (name, platform): step
        for name, found in collected.steps.items()
        for platform, step in found.items()
    }
    with ExitStack() as resources:
        lock = read_lock(opened)
        bench = Bench(opened, lock, options.memory_bytes)
        scanning = Scanning(opened, lock, Told(opened)) if options.vulnerabilities else None
        if options.use is not Use.NONE:
            bench.open_engine(resources, needed=options.use is Use.DOCKER)
        crew = Crew(options.jobs or os.cpu_count() or 1, bench.stop)
        resources.callback(crew.close)
        done = crew.each(
            lambda key: _judged(bench.subject(steps[key]), scanning), list(steps), keep_going=True
        )
    images = tuple(
        done.results.get(key) or Verified(*key, error=done.errors.get(key)) for key in steps
    )
    for image in images:
        _remember(State(opened.paths.database), image)
    return VerifyRun(
        images,
        collected.unavailable,
        collected.notes,
        bench.engine,
        bench.no_engine,
        time.monotonic() - clock,
        scanning.checked() if scanning else None,
    )


def _judged(subject: Subject, scanning: Scanning | None) -> Verified:
    judged = (*judge(subject), *(scanning.judge(subject) if scanning else ()))
    return Verified(subject.image.name, subject.platform, subject, judged)


def _remember(state: State, image: Verified) -> None:
    if image.subject is None:
        return
    results = {item.gate.id: item.verdict.result.value for item in image.judged}
    state.write_verification(
        Verification(
            image.name,
            image.platform.key,
            image.subject.digest,
            datetime.now(UTC).isoformat(timespec="microseconds"),
            image.ok,
            image.subject.unpacked_bytes,
            results,
        )
    )
