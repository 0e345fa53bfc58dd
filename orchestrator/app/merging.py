"""`orch report --merge`: the reports of jobs, read and kept as that of one build."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.app.opened import Opened
from orchestrator.app.push_report import KEPT_PUSH
from orchestrator.app.reporting import KEPT_BUILD
from orchestrator.atomic import write_text
from orchestrator.errors import WorkspaceError, unreadable
from orchestrator.evidence.merging import JobReport, UnlikeReportsError, merge_reports
from orchestrator.logs import run_id
from orchestrator.printable import short

_SCHEMA = "orch.build/1"
_HINT = "give the files that orch build --report wrote, or folders of nothing else"


def merge(opened: Opened, places: Iterable[Path]) -> dict[str, Any]:
    """Join the reports in files, and in all `.json` files below folders, into one.

    It is kept as the report of the workspace's last build, which `orch report` tells of.

    Raises:
        WorkspaceError: There is none, one is no report of a build, or they are not of one build.
    """
    reports = [_read(file) for file in _files(places)]
    if not reports:
        raise WorkspaceError("there are no reports to merge", hint=_HINT)
    try:
        document = merge_reports(reports, run_id())
    except UnlikeReportsError as error:
        raise WorkspaceError(
            str(error), hint="merge the reports of one commit, and each platform's by themselves"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise WorkspaceError(
            f"another version of orch wrote one of the reports, or it was altered ({error!r})",
            hint=_HINT,
        ) from error
    write_text(opened.paths.reports / KEPT_BUILD, json.dumps(document))
    if document["push"]:
        write_text(opened.paths.reports / KEPT_PUSH, json.dumps(document["push"]))
    return document


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        yield from sorted(place.rglob("*.json")) if place.is_dir() else (place,)


def _read(file: Path) -> JobReport:
    try:
        document = json.loads(file.read_bytes())
        schema, began = document["schema"], datetime.fromisoformat(document["started"])
    except OSError as error:
        raise unreadable(error, file) from error
    except (ValueError, KeyError, TypeError) as error:
        raise WorkspaceError(
            f"is no report of a build ({error!r})", file=file, hint=_HINT
        ) from error
    if schema != _SCHEMA:
        message = f"is no report of a build, but has the schema {short(str(schema))!r}"
        raise WorkspaceError(message, file=file, hint=_HINT)
    return JobReport(str(file), began.timestamp(), document)
