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
from orchestrator.app.verify_report import KEPT_VERIFICATION
from orchestrator.atomic import write_text
from orchestrator.errors import WorkspaceError, unreadable
from orchestrator.evidence.merging import (
    JobReport,
    UnlikeReportsError,
    merge_reports,
    merge_verifications,
)
from orchestrator.logs import run_id
from orchestrator.printable import short

_BUILD, _VERIFICATION = "orch.build/1", "orch.verify/1"
_HINT = "give what orch build and orch verify wrote by --report, or folders of nothing else"


def merge(opened: Opened, places: Iterable[Path]) -> dict[str, Any]:
    """Join the reports in files, and in all `.json` files below folders, into one of each kind.

    They are kept as the reports of the workspace's last build and last verification, which
    `orch report` tells of. Returns that of the build, where there is one.

    Raises:
        WorkspaceError: There is none, one is neither, or they are not of one build.
    """
    found = [_read(file) for file in _files(places)]
    if not found:
        raise WorkspaceError("there are no reports to merge", hint=_HINT)
    build, verification = _join(found)
    if verification:
        write_text(opened.paths.reports / KEPT_VERIFICATION, json.dumps(verification))
    if build:
        write_text(opened.paths.reports / KEPT_BUILD, json.dumps(build))
    if build and build["push"]:
        write_text(opened.paths.reports / KEPT_PUSH, json.dumps(build["push"]))
    return build or verification


def _join(found: Iterable[JobReport | dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return one report of all builds, and one of all verifications; empty where there is none."""
    builds: list[JobReport] = []
    verifications: list[dict[str, Any]] = []
    for report in found:
        if isinstance(report, JobReport):
            builds.append(report)
        else:
            verifications.append(report)
    try:
        return (
            merge_reports(builds, run_id()) if builds else {},
            merge_verifications(verifications) if verifications else {},
        )
    except UnlikeReportsError as error:
        raise WorkspaceError(
            str(error), hint="merge the reports of one commit, and each platform's by themselves"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise WorkspaceError(
            f"another version of orch wrote one of the reports, or it was altered ({error!r})",
            hint=_HINT,
        ) from error


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        yield from sorted(place.rglob("*.json")) if place.is_dir() else (place,)


def _read(file: Path) -> JobReport | dict[str, Any]:
    """Read the report of a build, or of a verification, which is its document."""
    try:
        document: dict[str, Any] = json.loads(file.read_bytes())
        schema = document["schema"]
        if schema == _BUILD:
            began = datetime.fromisoformat(document["started"])
            return JobReport(str(file), began.timestamp(), document)
    except OSError as error:
        raise unreadable(error, file) from error
    except (ValueError, KeyError, TypeError) as error:
        raise WorkspaceError(
            f"is no report of a build or a verification ({error!r})", file=file, hint=_HINT
        ) from error
    if schema != _VERIFICATION:
        found = short(str(schema))
        message = f"is no report of a build or a verification, but has the schema {found!r}"
        raise WorkspaceError(message, file=file, hint=_HINT)
    return document
