"""The workspace: its root, its settings, its images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.model.image import Image
from orchestrator.model.settings import Settings


@dataclass(frozen=True, slots=True)
class Workspace:
    """The monorepo: its root, its settings, its images in a stable order."""

    root: Path
    settings: Settings
    images: Mapping[str, Image] = field(default_factory=dict)
