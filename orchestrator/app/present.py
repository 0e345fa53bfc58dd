"""The files that a folder holds, as far as they are a person's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from orchestrator.git import present_files

_NEVER_ENTERED = frozenset(
    {".git", ".hg", ".orch", ".tox", ".venv", "__pycache__", "node_modules", "venv"}
)


def list_files(folder: Path) -> list[str]:
    """Return the files of a folder, sorted: those that git does not ignore, where it knows."""
    known = present_files(folder)
    return sorted(known or _walk(folder))


def _walk(root: Path) -> Iterator[str]:
    for folder, below, names in os.walk(root):
        below[:] = sorted(set(below) - _NEVER_ENTERED)
        if "pyvenv.cfg" in names:
            below.clear()
            continue
        yield from (os.path.relpath(f"{folder}/{name}", root) for name in names)
