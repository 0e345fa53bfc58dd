"""Reports of jobs, joined into that of one build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.app.evidencing import evidence_of
from orchestrator.app.merging import merge
from orchestrator.app.opened import Opened, open_workspace
from orchestrator.errors import WorkspaceError
from orchestrator.select import Selection
from tests.evidences import build_of, build_row, failed_row, verification_of
from tests.helpers import ROOT, write_workspace


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    recipes = {"base/web": f'from = "{ROOT}"\n', "services/api": 'from = "web"\n'}
    return open_workspace(write_workspace(tmp_path / "ws", recipes))


def job(started: str, *rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the report of a job that began at some minute and second, and took ten seconds."""
    at = f"2026-11-21T10:{started}+00:00"
    return {**build_of(rows), "schema": "orch.build/1", "run": "r", "push": None} | {
        "started": at,
        "duration_s": 10.0,
        **more,
    }


def merged(opened: Opened, *jobs: dict[str, Any]) -> dict[str, Any]:
    folder = opened.paths.root / "reports"
    folder.mkdir(exist_ok=True)
    for number, document in enumerate(jobs):
        (folder / f"{number}.json").write_text(json.dumps(document))
    return merge(opened, [folder])


def named(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in document["images"]}


WEB = build_row("web", span=(0.0, 8.0))
API = build_row("api", "web", tier=1, span=(0.0, 4.0))


def test_of_an_image_the_job_counts_that_built_it(opened: Opened) -> None:
    below = build_row("web")
    one, two = job("00:00", WEB), job("00:20", below, API)
    for jobs in ((one, two), (two, one)):
        document = merged(opened, *jobs)
        assert {name: row["status"] for name, row in named(document).items()} == {
            "web": "built",
            "api": "built",
        }
        assert [row["name"] for row in document["images"]] == ["web", "api"]
        assert document["ok"] is True
        assert set(document) == {*one}


def test_times_are_on_one_clock(opened: Opened) -> None:
    document = merged(opened, job("00:20", build_row("web"), API), job("00:00", WEB))
    assert (document["started"], document["duration_s"]) == ("2026-11-21T10:00:00+00:00", 30.0)
    assert [row["started_s"] for row in document["images"]] == [0.0, 20.0]


def test_a_job_that_was_repeated_counts_with_what_came_of_it_last(opened: Opened) -> None:
    failed, good = job("00:00", failed_row("web")), job("01:00", WEB)
    assert merged(opened, failed, good)["ok"] is True
    late = job("02:00", failed_row("web"))
    assert merged(opened, good, late)["ok"] is False
    assert named(merged(opened, good, late))["web"]["error"]["hint"] == "mend it"


def test_pushes_are_joined_and_the_one_counts_that_sent_something(opened: Opened) -> None:
    def push(started: str, *images: tuple[str, str]) -> dict[str, Any]:
        rows = [{"name": name, "status": status} for name, status in images]
        return {
            "schema": "orch.push/1",
            "ok": True,
            "started": started,
            "duration_s": 1.5,
            "registry": "h.example/team",
            "notes": ["a note"],
            "images": rows,
        }

    one = job("00:00", WEB, push=push("b", ("web", "pushed")))
    two = job(
        "00:20", build_row("web"), API, push=push("a", ("web", "unchanged"), ("api", "pushed"))
    )
    joined = merged(opened, one, two)["push"]
    assert joined["images"] == [
        {"name": "api", "status": "pushed"},
        {"name": "web", "status": "pushed"},
    ]
    assert (joined["started"], joined["duration_s"], joined["notes"]) == ("a", 3.0, ["a note"])


def test_orch_report_tells_of_what_was_merged(opened: Opened) -> None:
    merged(opened, job("00:00", WEB), job("00:20", build_row("web"), API))
    evidence = evidence_of(opened, Selection())
    assert [image.name for image in evidence.images] == ["web", "api"]
    assert evidence.critical_path == ("web", "api")


def verified(*names: str, **more: Any) -> dict[str, Any]:
    """Return the report of a job that verified images; `more` is of the whole."""
    report = verification_of(*names, ok=True)
    kept = {"ok": True, "complete": True, "duration_s": 2.0, "notes": ["n"], "unavailable": []}
    return {"schema": "orch.verify/1", **report, **kept, **more}


def test_gates_of_all_jobs_are_told_of_together(opened: Opened) -> None:
    build = merged(opened, job("00:00", WEB, API), verified("web"), verified("api"))
    assert build["schema"] == "orch.build/1"
    evidence = evidence_of(opened, Selection())
    assert {image.name: bool(image.gates) for image in evidence.images} == {
        "web": True,
        "api": True,
    }


def test_a_verification_of_many_jobs_is_as_good_as_the_worst(opened: Opened) -> None:
    why = [{"name": name, "why": "no Docker"} for name in ("api", "gpu")]
    one = verified("web", complete=False, unavailable=why)
    two = verified("api", engine="26.1", no_engine="")
    both = merged(opened, one, two)
    assert [row["name"] for row in both["images"]] == ["api", "web"]
    assert (both["ok"], both["complete"], both["duration_s"]) == (True, False, 4.0)
    assert (both["engine"], both["no_engine"]) == ("26.1", "")
    assert [row["name"] for row in both["unavailable"]] == ["gpu"]
    one["images"][0]["ok"] = False
    assert merged(opened, one, two)["ok"] is False


@pytest.mark.parametrize(
    "other", [{"fingerprint": "f-other"}, {"platform": "linux/arm64"}], ids=["state", "platform"]
)
def test_reports_that_are_not_of_one_build_are_refused(
    opened: Opened, other: dict[str, str]
) -> None:
    with pytest.raises(WorkspaceError, match=r"0.json and .*1.json are not of one build: web is"):
        merged(opened, job("00:00", WEB), job("00:20", {**build_row("web"), **other}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema": "orch.build/1"}',
        '{"schema": "orch.push/1", "started": "2026-11-21"}',
        '{"schema": 1}',
    ],
)
def test_what_is_no_report_is_named(opened: Opened, tmp_path: Path, text: str) -> None:
    file = tmp_path / "report.json"
    file.write_text(text)
    with pytest.raises(WorkspaceError) as error:
        merge(opened, [file])
    assert error.value.file == str(file)
    assert error.value.hint


def test_reports_of_nothing_are_an_error(opened: Opened, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="no reports to merge"):
        merge(opened, [tmp_path / "ws/base"])


def test_a_report_that_lacks_something_is_an_error_with_a_hint(opened: Opened) -> None:
    document = job("00:00", WEB)
    del document["images"][0]["attempts"]
    with pytest.raises(WorkspaceError, match="'attempts'"):
        merged(opened, document)
    without = verified("web")
    del without["complete"]
    with pytest.raises(WorkspaceError, match="'complete'"):
        merged(opened, without)
