"""`orch verify --report`: a verification as a document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orchestrator.app.opened import Opened
from orchestrator.app.verifying import VerifyRun
from orchestrator.atomic import write_output
from orchestrator.report.verification import verified_document

KEPT_VERIFICATION = "verification.json"
"""The last verification, below the folder of reports."""


def verify_document(run: VerifyRun) -> dict[str, Any]:
    """Return a verification, `orch.verify/1`."""
    return {
        "schema": "orch.verify/1",
        "ok": run.ok,
        "complete": run.is_complete,
        "engine": run.engine,
        "no_engine": run.no_engine,
        "duration_s": round(run.duration_s, 3),
        "notes": list(run.notes),
        "images": [verified_document(image) for image in run.images],
        "unavailable": [{"name": name, "why": why} for name, why in run.unavailable.items()],
    }


def keep_verify_report(opened: Opened, run: VerifyRun) -> None:
    """Keep the report of a verification for `orch report`.

    Raises:
        OrchError: The file cannot be written.
    """
    write_verify_report(run, opened.paths.reports / KEPT_VERIFICATION)


def write_verify_report(run: VerifyRun, file: Path) -> None:
    """Write a verification's report.

    Raises:
        OrchError: The file cannot be written.
    """
    write_output(file, json.dumps(verify_document(run), indent=2) + "\n")
