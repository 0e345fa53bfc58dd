"""`orch push --report`: a push as a document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orchestrator.app.opened import Opened
from orchestrator.app.pushing import PushRun
from orchestrator.atomic import write_output
from orchestrator.report.pushes import pushed_document, unavailable_document

KEPT_PUSH = "push.json"
"""The last push, below the folder of reports."""


def push_document(run: PushRun) -> dict[str, Any]:
    """Return a push, `orch.push/1`."""
    return {
        "schema": "orch.push/1",
        "ok": run.ok,
        "dry_run": run.is_dry,
        "started": run.started.isoformat(timespec="seconds"),
        "duration_s": round(run.duration_s, 3),
        "registry": str(run.namespace),
        "notes": run.notes,
        "images": [
            *(pushed_document(pushed) for pushed in run.images),
            *(unavailable_document(name, why) for name, why in run.unavailable.items()),
        ],
    }


def keep_push_report(opened: Opened, run: PushRun) -> None:
    """Keep the report of a push for `orch report`; a dry run sent nothing.

    Raises:
        OrchError: The file cannot be written.
    """
    if not run.is_dry:
        write_push_report(run, opened.paths.reports / KEPT_PUSH)


def write_push_report(run: PushRun, file: Path) -> None:
    """Write a push's report.

    Raises:
        OrchError: The file cannot be written.
    """
    write_output(file, json.dumps(push_document(run), indent=2) + "\n")
