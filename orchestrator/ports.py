"""What the scheduler and the app need of others, as protocols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from orchestrator.errors import OrchError
from orchestrator.oci.layer import Layer
from orchestrator.plan import Step


class Status(Enum):
    """What came of a step."""

    BUILT = "built"
    REUSED = "reused"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Made:
    """What an engine made of a step."""

    digest: str
    size_bytes: int
    unpacked_bytes: int
    layers: tuple[Layer, ...] = ()
    reused_layers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a step, and what was made of it."""

    step: Step
    status: Status
    because: str = ""
    made: Made | None = None
    started_s: float = 0.0
    duration_s: float = 0.0
    attempts: int = 0
    error: OrchError | None = None

    @property
    def digest(self) -> str:
        """Return the image's digest, or nothing where there is none."""
        return self.made.digest if self.made else self.step.digest


class Engine(Protocol):
    """Turns a step into an image."""

    def build(self, step: Step, parents: Mapping[str, str]) -> Made:
        """Make the image; `parents` are the digests of the siblings it stands on."""
        ...

    def stop(self) -> None:
        """Give up what can be given up; `build` then raises InterruptedByUserError."""
        ...


class Observer(Protocol):
    """Watches a run; called from several threads."""

    def planned(self, steps: int) -> None:
        """Take note of how many images are to be built; said again when the plan changes."""
        ...

    def started(self, step: Step) -> None:
        """Take note that a step is being built."""
        ...

    def fetched(self, size_bytes: int) -> None:
        """Take note of bytes that came over the network."""
        ...

    def finished(self, outcome: Outcome) -> None:
        """Take note of what came of a step."""
        ...
