"""Fingerprints of the workspace as it was at a commit; `--since REV`: where a branch parted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestrator.app.fingerprinting import fingerprint_images
from orchestrator.app.opened import Opened, open_workspace, read_lock
from orchestrator.errors import OrchError, WorkspaceError
from orchestrator.fingerprint import Fingerprint
from orchestrator.git import NoComparisonError, export_tree, merge_base
from orchestrator.lockfile import Lock
from orchestrator.model import Platform
from orchestrator.scratch import scratch_folder
from orchestrator.settings import SETTINGS_FILE


def fingerprints_since(opened: Opened, revision: str, platform: Platform) -> dict[str, str]:
    """Return each image's fingerprint at the merge base with a revision, by name.

    Raises:
        NoComparisonError: git fails, or the workspace was not sound then: what cannot be
            compared counts as changed.
    """
    root = opened.paths.root
    _, prints = read_commit(root, merge_base(root, revision), platform)
    return {name: fingerprint.digest for name, fingerprint in prints.items()}


def read_commit(
    root: Path, commit: str, platform: Platform
) -> tuple[Lock, Mapping[str, Fingerprint]]:
    """Return the lock of a commit, and the fingerprints that images had by it.

    Raises:
        NoComparisonError: The tree cannot be read, or the workspace was not sound then.
    """
    with scratch_folder() as folder:
        export_tree(root, commit, folder)
        try:
            opened = _open_itself(folder)
            lock = read_lock(opened)
            made = fingerprint_images(opened, lock, platform, opened.graph.images)
        except OrchError as error:
            why = str(error).replace(f"{folder}/", "")
            raise NoComparisonError(
                f"the workspace at {commit[:12]} is not sound: {why}", hint=error.hint
            ) from error
    return lock, made.prints


def _open_itself(folder: Path) -> Opened:
    """Open the workspace of a folder, and none that the folder is in: caches may be in one."""
    opened = open_workspace(folder)
    if opened.paths.root != folder:
        raise WorkspaceError(f"there is no {SETTINGS_FILE}", hint="name one that has it")
    return opened
