"""A workspace as files that are not written yet would make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from orchestrator.model import Workspace
from orchestrator.scratch import scratch_folder
from orchestrator.settings import SETTINGS_FILE, read_settings
from orchestrator.workspace import read_images


def read_staged(root: Path, files: Mapping[str, str]) -> Workspace:
    """Return the workspace at `root` as it is once these files are there, its settings among them.

    What else is in the workspace is not looked at, so recipes name no other requirements.

    Raises:
        WorkspaceError: It would not be valid.
    """
    with scratch_folder() as stage:
        for path, text in files.items():
            (stage / path).parent.mkdir(parents=True, exist_ok=True)
            (stage / path).write_text(text, "utf-8")
        workspace = read_images(read_settings(stage))
    settings = replace(workspace.settings, file=root / SETTINGS_FILE)
    return replace(workspace, root=root, settings=settings)
