"""`orch lock --check`: does the lock match its inputs? Reads files, asks no network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.app.opened import open_workspace, read_lock

if TYPE_CHECKING:
    from orchestrator.resolve.behind import Difference


def check_lock_file(directory: Path) -> tuple[Difference, ...]:
    """Return where the lock does not match what the workspace asks for; none where it does.

    Raises:
        LockError: There is no lock, or it cannot be read.
        WorkspaceError: The workspace is not valid.
    """
    from orchestrator.resolve.behind import find_differences  # noqa: PLC0415 - slow to import

    opened = open_workspace(directory)
    return find_differences(opened.workspace, opened.graph, read_lock(opened))
