"""The trace of a build: written to a file, and sent where an OTLP endpoint is configured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.atomic import write_output
from orchestrator.logs import Event
from orchestrator.report.trace import spans_of, trace_document

if TYPE_CHECKING:
    from orchestrator.app.building import BuildRun


def trace(run: BuildRun, events: Sequence[Event], file: Path | None, *, sends: bool) -> list[str]:
    """Write the trace of a build, and send it; return what a person is told of sending.

    Raises:
        OrchError: The file cannot be written. That a trace cannot be sent fails nothing.
    """
    spans = spans_of(run.outcomes, run.planned.opened.graph.parents, events)
    facts: dict[str, Any] = {
        "run": run.run,
        "ok": run.ok,
        "started": run.started.isoformat(timespec="milliseconds"),
        "duration_s": round(run.duration_s, 3),
    }
    if file is not None:
        write_output(file, json.dumps(trace_document(spans, run.began_s, facts)) + "\n")
    if not sends:
        return []
    from orchestrator.app.telemetry import send_spans  # noqa: PLC0415 - slow to import

    problem = send_spans(spans, run.began_s, run.duration_s, facts)
    return [f"the trace was not sent: {problem}"] if problem else []
