"""`--since REV`: fingerprints of the workspace as it was when a branch parted."""

from __future__ import annotations

import tempfile
from pathlib import Path

from orchestrator.app.fingerprinting import fingerprint_images
from orchestrator.app.opened import Opened, open_workspace, read_lock
from orchestrator.errors import OrchError
from orchestrator.git import NoComparisonError, export_tree, merge_base
from orchestrator.model import Platform


def fingerprints_since(opened: Opened, revision: str, platform: Platform) -> dict[str, str]:
    """Return each image's fingerprint at the merge base with a revision, by name.

    Raises:
        NoComparisonError: git fails, or the workspace was not sound then: what cannot be
            compared counts as changed.
    """
    commit = merge_base(opened.paths.root, revision)
    with tempfile.TemporaryDirectory(prefix="orch-since-") as scratch:
        export_tree(opened.paths.root, commit, Path(scratch))
        try:
            before = open_workspace(Path(scratch))
            lock = read_lock(before)
            made = fingerprint_images(before, lock, platform, before.graph.images)
        except NoComparisonError:
            raise
        except OrchError as error:
            raise NoComparisonError(
                f"the workspace at {commit[:12]} is not sound: {error}"
            ) from error
    return {name: fingerprint.digest for name, fingerprint in made.prints.items()}
