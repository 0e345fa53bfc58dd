"""Reports of jobs on parts of one graph, joined into that of one build, or verification."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]

_BAD = {"failed", "skipped", "cancelled"}
_TELLING = ("reused", "unavailable", "skipped", "cancelled")
"""What jobs say of images that they did not try, what tells most first."""


@dataclass(frozen=True, slots=True)
class JobReport:
    """A report `orch.build/1`, where it is from, and when its job began, in seconds."""

    source: str
    began_s: float
    document: Document

    @property
    def ended_s(self) -> float:
        """Return when the job was over."""
        return self.began_s + float(self.document["duration_s"])


class UnlikeReportsError(Exception):
    """Reports are not of one state of one workspace on one platform."""


def merge_reports(reports: Sequence[JobReport], run: str) -> dict[str, Any]:
    """Join reports into one of the same schema, which gets the id `run`.

    Of each image the job counts that tried to build it, the last one where several did; else the
    one that says most. Times are those of all jobs together, from the first's beginning to the
    last's end; `started_s` is counted from the first image of all.

    Raises:
        UnlikeReportsError: They cannot be of one build.
        KeyError, TypeError: One is no report.
    """
    jobs = sorted(reports, key=lambda job: (job.began_s, job.source))
    _check_alike(jobs)
    rows: dict[str, tuple[tuple[int, float], dict[str, Any]]] = {}
    for job in jobs:
        for row in job.document["images"]:
            rank = _rank(row, job)
            if row["name"] not in rows or rank >= rows[row["name"]][0]:
                rows[row["name"]] = (rank, _moved(row, job))
    images = sorted((row for _, row in rows.values()), key=lambda row: (row["tier"], row["name"]))
    begins = [row["started_s"] for row in images if row["started_s"] is not None]
    for row in images:
        if row["started_s"] is not None:
            row["started_s"] = round(row["started_s"] - min(begins), 3)
    push = _merge_pushes([job.document["push"] for job in jobs if job.document["push"]])
    return {
        **jobs[0].document,
        "run": run,
        "ok": not any(row["status"] in _BAD for row in images) and (push is None or push["ok"]),
        "duration_s": _span([(job.began_s, job.ended_s) for job in jobs]),
        "notes": _joined(job.document["notes"] for job in jobs),
        "images": images,
        "push": push,
    }


def merge_verifications(reports: Sequence[Document]) -> dict[str, Any]:
    """Join reports `orch.verify/1`, of which none has images of the other, into one.

    Where two do have one in common, that of the later report counts.

    Raises:
        KeyError, TypeError: One is no report.
    """
    rows = {(row["name"], row["platform"]): row for report in reports for row in report["images"]}
    lacking = {row["name"]: row for report in reports for row in report["unavailable"]}
    engines = sorted({report["engine"] for report in reports if report["engine"]})
    without = "" if engines else reports[0]["no_engine"]
    return {
        **reports[0],
        "ok": all(row["ok"] for row in rows.values()),
        "complete": all(report["complete"] for report in reports),
        "engine": ", ".join(engines),
        "no_engine": without,
        "duration_s": round(sum(report["duration_s"] for report in reports), 3),
        "notes": _joined(report["notes"] for report in reports),
        "images": [rows[key] for key in sorted(rows)],
        "unavailable": [lacking[name] for name in sorted(lacking.keys() - {n for n, _ in rows})],
    }


def _rank(row: Document, job: JobReport) -> tuple[int, float]:
    if row["attempts"]:
        return 1, job.began_s
    return 0, -float(_TELLING.index(row["status"]))


def _moved(row: Document, job: JobReport) -> dict[str, Any]:
    """Return a row with its begin on the clock of all jobs."""
    began_s = row["started_s"]
    return {**row, "started_s": None if began_s is None else job.began_s + began_s}


def _check_alike(jobs: Sequence[JobReport]) -> None:
    prints: dict[str, tuple[str, str]] = {}
    for job in jobs:
        for row in job.document["images"]:
            what, source = prints.setdefault(row["name"], (_print(row), job.source))
            if what != _print(row):
                raise UnlikeReportsError(
                    f"{source} and {job.source} are not of one build: {row['name']} is "
                    f"{what} in the one and {_print(row)} in the other"
                )


def _print(row: Document) -> str:
    return f"{row['platform']} {row['fingerprint'][:19]}"


def _merge_pushes(pushes: Sequence[Document]) -> dict[str, Any] | None:
    """Join the pushes of jobs; of an image the last counts that did something about it."""
    if not pushes:
        return None
    rows: dict[str, Document] = {}
    for push in pushes:
        for row in push["images"]:
            if row["name"] not in rows or row["status"] != "unchanged":
                rows[row["name"]] = row
    return {
        **pushes[0],
        "ok": not any(row["status"] in {"failed", "cancelled"} for row in rows.values()),
        "started": min(push["started"] for push in pushes),
        "duration_s": round(sum(push["duration_s"] for push in pushes), 3),
        "notes": _joined(push["notes"] for push in pushes),
        "images": [rows[name] for name in sorted(rows)],
    }


def _span(spans: Sequence[tuple[float, float]]) -> float:
    return round(max(end for _, end in spans) - min(begin for begin, _ in spans), 3)


def _joined(notes: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(note for some in notes for note in some))
