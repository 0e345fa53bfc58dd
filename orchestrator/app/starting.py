"""A small workspace for a folder that holds none."""

from __future__ import annotations

import platform as machine
from collections.abc import Collection
from pathlib import Path

from orchestrator.app.staging import read_staged
from orchestrator.discovery.proposal import Proposal
from orchestrator.graph import build_graph
from orchestrator.model import Platform
from orchestrator.settings import SETTINGS_FILE
from orchestrator.templates.workspace import IGNORE_FILE, starter_files

_PLATFORMS = (Platform("linux", "amd64"), Platform("linux", "arm64"))


def propose_starter(root: Path, present: Collection[str]) -> Proposal:
    """Propose two tiers of bases and a service, for this machine's platform.

    Of the files that are present a `.gitignore` stays as it is.
    """
    files = starter_files(_own_platform())
    workspace = read_staged(root, files)
    text = files.pop(SETTINGS_FILE)
    if IGNORE_FILE in present:
        del files[IGNORE_FILE]
    return Proposal(text, workspace, build_graph(workspace), (), (), files)


def _own_platform() -> Platform:
    own = (known for known in _PLATFORMS if known.machine == machine.machine())
    return next(own, _PLATFORMS[0])
