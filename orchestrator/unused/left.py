"""What builds leave in a workspace besides images: logs, reports, contexts; as entries."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from orchestrator.unused.cached import size_below
from orchestrator.unused.entries import Entry


def log_entries(logs: Path, reports: Path, images: Collection[str]) -> Iterator[Entry]:
    """Yield log files and reports; a log of an image that is gone is left over."""
    for folder in (logs, logs / "wheels", reports):
        for file in sorted(folder.glob("*.*")):
            status = file.lstat()
            is_gone = folder == logs and file.stem not in images
            yield Entry(file, status.st_size, status.st_mtime, left_over=is_gone)


def context_entries(folder: Path) -> Iterator[Entry]:
    """Yield what Dockerfiles were being built from when a build was killed."""
    for place in sorted(folder.glob("*/*")):
        if place.is_dir():
            yield Entry(place, size_below(place), place.lstat().st_mtime, left_over=True)
