"""Which files of a workspace say how images are deployed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from orchestrator.errors import WorkspaceError
from orchestrator.model import Settings

ENDINGS = (".yaml", ".yml")
_OTHERS = frozenset({"vendor", "third_party", "charts"})
"""Folders with what others wrote; `charts` holds the charts that a chart depends on."""


def find_deployment_paths(root: Path, settings: Settings, listed: Iterable[str]) -> tuple[str, ...]:
    """Return the files that the settings name, sorted; else those of the listed that may be some.

    Paths are from the root. What a file is shows only when it is read.

    Raises:
        WorkspaceError: A glob is none, or leads out of the workspace.
    """
    if not settings.deployments:
        return tuple(path for path in listed if not _is_foreign(path))
    found = {path for pattern in settings.deployments for path in _matches(root, settings, pattern)}
    return tuple(sorted(found))


def _is_foreign(path: str) -> bool:
    return not _OTHERS.isdisjoint(path.split("/")[:-1])


def _matches(root: Path, settings: Settings, pattern: str) -> list[str]:
    try:
        files = None if ".." in PurePosixPath(pattern).parts else list(root.glob(pattern))
    except (ValueError, NotImplementedError):
        files = None
    if files is None:
        raise WorkspaceError(
            f"deployments: {pattern!r} names no files of the workspace",
            file=settings.file,
            hint="globs start at the root of the workspace, for example deploy/**/*.yaml",
        )
    return [file.relative_to(root).as_posix() for file in files if file.is_file()]
