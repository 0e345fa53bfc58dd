"""What `orch check` found, kept for `orch report`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.atomic import write_text
from orchestrator.checks.run import Checked
from orchestrator.errors import OrchError
from orchestrator.logs import run_id
from orchestrator.paths import Paths
from orchestrator.report.checks import check_document

KEPT_CHECK = "check.json"
"""The last check of everything, below the folder of reports."""


def keep_check_report(root: Path, checked: Checked) -> list[str]:
    """Keep what was found where something was built; return what a person is told otherwise.

    A checkout in which nothing was built stays without a folder of ours.
    """
    paths = Paths.of(root)
    if not paths.state.is_dir():
        return []
    began = {"run": run_id(), "started": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        write_text(paths.reports / KEPT_CHECK, json.dumps(check_document(checked) | began))
    except OrchError as error:
        return [f"what was found is not kept for orch report: {error}"]
    return []
