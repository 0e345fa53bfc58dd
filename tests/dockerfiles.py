"""Workspaces whose images Dockerfiles define, from a few words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestrator.app.fingerprinting import fingerprint_images
from orchestrator.app.opened import Opened, open_workspace, read_lock
from orchestrator.fingerprint import Fingerprint
from orchestrator.model import Platform
from tests.helpers import AMD64, write_tree


def workspace_of(root: Path, files: Mapping[str, str], settings: str = "") -> Opened:
    """Write a workspace of these files and open it; `base/*` and `services/*` hold images."""
    write_tree(root, {"orch.toml": settings, **files})
    return open_workspace(root)


def prints_of(root: Path, platform: Platform = AMD64) -> Mapping[str, Fingerprint]:
    """Return the fingerprints of a workspace as it is on disk now."""
    opened = open_workspace(root)
    return fingerprint_images(opened, read_lock(opened), platform, opened.graph.images).prints
