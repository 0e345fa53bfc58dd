"""What came of putting images into deployment files."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from orchestrator.deployments.intents import Intent
from orchestrator.deployments.pinning import Pinned
from orchestrator.errors import OrchError
from orchestrator.rewriting import Rewritten


class Fate(Enum):
    """What came of an image that a file names."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    LEFT = "left"
    FOREIGN = "foreign"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Deployed:
    """An image that a file names, and what is there now, or would be; `error` says why not."""

    intent: Intent
    fate: Fate
    after: str
    pinned: Pinned | None = None
    error: OrchError | None = None


@dataclass(slots=True)
class DeployRun:
    """What a run comes to: `rewritten` are the files that change, none where anything failed."""

    images: list[Deployed] = field(default_factory=list)
    rewritten: list[Rewritten] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Tell whether each image that is to be there by digest is or can be."""
        return not any(item.error for item in self.images)
