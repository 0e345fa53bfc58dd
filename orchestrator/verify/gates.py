"""All gates, in the order in which they are shown."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.errors import OrchError
from orchestrator.model import Platform
from orchestrator.verify.config_gates import CONFIG_GATES
from orchestrator.verify.file_gates import FILE_GATES
from orchestrator.verify.gate import Gate, Result, Subject, Verdict
from orchestrator.verify.run_gates import RUN_GATES
from orchestrator.verify.size_gates import SIZE_GATES

GATES: tuple[Gate, ...] = (*CONFIG_GATES, *FILE_GATES, *SIZE_GATES, *RUN_GATES)


@dataclass(frozen=True, slots=True)
class Judged:
    """A gate and what it came to."""

    gate: Gate
    verdict: Verdict


def judge(subject: Subject) -> tuple[Judged, ...]:
    """Hold an image against every gate that is asked of it."""
    verdicts = ((gate, gate.judge(subject)) for gate in GATES)
    return tuple(Judged(gate, verdict) for gate, verdict in verdicts if verdict is not None)


@dataclass(frozen=True, slots=True)
class Verified:
    """An image and what each gate came to; or why it could not be judged."""

    name: str
    platform: Platform
    subject: Subject | None = None
    judged: tuple[Judged, ...] = ()
    error: OrchError | None = None

    @property
    def ok(self) -> bool:
        """Tell whether no gate failed."""
        return self.error is None and not self.with_result(Result.FAILED)

    def with_result(self, result: Result) -> list[Judged]:
        """Return the gates that came to a result."""
        return [item for item in self.judged if item.verdict.result is result]
