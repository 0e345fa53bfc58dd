"""Package indexes that a project names: where to fetch from is the business of a machine."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

from orchestrator.discovery.drafts import Undecided
from orchestrator.git import without_credentials


def undecided_index(file: PurePosixPath, line: int | None, url: str) -> Undecided:
    """Return that a file names a package index, without what logs in there."""
    shown = without_credentials(url)
    return Undecided(
        str(file),
        line,
        f"names the package index {shown}, and no recipe does",
        "pip's configuration names it for a machine, the settings for all",
        f"[python]\nextra-index-urls = [{json.dumps(shown)}]",
    )
