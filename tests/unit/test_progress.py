"""Progress for people, pipes and programs."""

from __future__ import annotations

import io
import json
import threading

import pytest

from orchestrator.errors import OrchError
from orchestrator.fingerprint import Fingerprint
from orchestrator.plan import Recorded, plan_builds
from orchestrator.ports import Made, Outcome, Status
from orchestrator.report.progress import (
    JsonProgress,
    LiveProgress,
    PlainProgress,
    Progress,
    SilentProgress,
)
from tests.helpers import AMD64, graph_of

GRAPH = graph_of("base; web: base; old")
EMPTY = Fingerprint.of(())
STEPS = plan_builds(
    GRAPH, AMD64, dict.fromkeys(GRAPH.images, EMPTY), {"old": Recorded(EMPTY, "sha256:old")}
).steps
BUILT = Outcome(STEPS["base"], Status.BUILT, made=Made("sha256:base", 1000, 2000))
FAILED = Outcome(STEPS["web"], Status.FAILED, error=OrchError("broken", hint="mend it"))
REUSED = Outcome(STEPS["old"], Status.REUSED)


def play(progress: Progress) -> None:
    with progress:
        progress.planned(2)
        progress.finished(REUSED)
        progress.started(STEPS["base"])
        progress.fetched(500)
        progress.finished(BUILT)
        progress.started(STEPS["web"])
        progress.finished(FAILED)


def test_plain_progress_is_a_line_for_each_beginning_and_end_of_what_is_built() -> None:
    lines: list[str] = []
    play(PlainProgress(lines.append))
    assert lines == [
        "building base: never-built",
        "[1/2] built base  sha256:base  1.0 kB, 0 of 0 layers new, 0.0 s",
        "building web: never-built",
        "[2/2] failed web: broken\n  hint: mend it",
    ]


def test_a_second_plan_is_counted_from_nothing() -> None:
    lines: list[str] = []
    progress = PlainProgress(lines.append)
    progress.planned(5)
    progress.finished(BUILT)
    progress.planned(1)
    progress.finished(BUILT)
    assert [line[:5] for line in lines] == ["[1/5]", "[1/1]"]


def test_json_progress_is_an_object_a_line() -> None:
    out = io.StringIO()
    play(JsonProgress(out))
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert {event["schema"] for event in events} == {"orch.progress/1"}
    assert [(event["event"], event["image"], event.get("status")) for event in events] == [
        ("finished", "old", "reused"),
        ("started", "base", None),
        ("finished", "base", "built"),
        ("started", "web", None),
        ("finished", "web", "failed"),
    ]


def test_silent_progress_still_counts_bytes_from_many_threads() -> None:
    progress = SilentProgress()

    def count() -> None:
        for _ in range(1000):
            progress.fetched(1)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert progress.fetched_bytes == 8000


def test_live_progress_goes_to_standard_error_and_lets_what_is_done_scroll_by(
    capsys: pytest.CaptureFixture[str],
) -> None:
    play(LiveProgress())
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "built base" in shown.err
    assert "failed web: broken" in shown.err
    assert "old" not in shown.err
