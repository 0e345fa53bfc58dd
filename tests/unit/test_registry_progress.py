"""Progress of a push: what is said to whom, and that the report's words are the same."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest

from orchestrator.errors import OrchError
from orchestrator.publish.outgoing import (
    OutgoingImage,
    PlatformImage,
    Pushed,
    PushStatus,
    Transfer,
)
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import BlobInfo, Manifest
from orchestrator.report.push_progress import JsonPush, LivePush, PlainPush, PushProgress
from orchestrator.report.pushes import format_push_summary, format_pushed, pushed_document
from tests.helpers import AMD64

BLOBS = tuple(BlobInfo(f"sha256:{number:064}", 1000 * number) for number in (1, 2, 3))


def pushed(status: PushStatus = PushStatus.PUSHED, error: OrchError | None = None) -> Pushed:
    """One image of three blobs: one uploaded, one mounted, one there."""
    image = PlatformImage(AMD64, "f" * 64, Manifest("m", b"{}"), BLOBS)
    outgoing = OutgoingImage("api", Repository("h.example", "team/api"), (image,), ("latest",))
    ways = dict(zip(BLOBS, Transfer, strict=True))
    return Pushed(outgoing, status, image.manifest.digest, ways, error=error)


def watch(progress: PushProgress) -> None:
    with progress:
        progress.surveyed(1, 6000)
        for _ in range(3):
            progress.sent(1000)
        progress.finished(pushed())


def test_plain_says_how_much_there_is_and_what_came_of_each() -> None:
    lines: list[str] = []
    watch(PlainPush(lines.append))
    assert lines[0] == "sending 6.0 kB for 1 images"
    assert lines[1].startswith("pushed api  sha256:")
    assert lines[1].endswith("1.0 kB uploaded, 2.0 kB mounted, 3.0 kB there")


def test_plain_is_silent_about_sending_where_nothing_is_sent() -> None:
    lines: list[str] = []
    PlainPush(lines.append).surveyed(3, 0)
    assert lines == []


def test_json_writes_an_object_a_line() -> None:
    out = io.StringIO()
    watch(JsonPush(out))
    first, last = (json.loads(line) for line in out.getvalue().splitlines())
    assert first == {
        "schema": "orch.progress/1",
        "event": "surveyed",
        "images": 1,
        "upload_bytes": 6000,
    }
    assert last["event"] == "finished"
    assert last["image"] == "api"
    assert last["status"] == "pushed"


def test_live_lets_finished_images_scroll_by(capsys: pytest.CaptureFixture[str]) -> None:
    watch(LivePush())
    printed = capsys.readouterr()
    assert "pushed api" in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            lambda: pushed(PushStatus.FAILED, OrchError("broken", hint="mend it")),
            "failed api: broken\n  hint: mend it",
        ),
        (lambda: pushed(PushStatus.CANCELLED), "cancelled api: not tagged, as others failed"),
    ],
)
def test_what_went_wrong_is_said(item: Callable[[], Pushed], expected: str) -> None:
    assert format_pushed(item()) == expected


def test_the_summary_counts_images_and_bytes() -> None:
    summary = format_push_summary([pushed(), pushed(PushStatus.FAILED)], {"x": "why"}, 1.25)
    assert summary == (
        "1 pushed, 1 failed, 1 unavailable, 2.0 kB uploaded, 4.0 kB mounted, 6.0 kB there in 1.2 s"
    )
    assert format_push_summary([], {}, 0.0) == "nothing to push in 0.0 s"


def test_the_report_has_the_numbers() -> None:
    document = pushed_document(pushed(PushStatus.FAILED, OrchError("broken", hint="mend it")))
    assert document["blobs"] == {
        "uploaded": {"count": 1, "bytes": 1000},
        "mounted": {"count": 1, "bytes": 2000},
        "skipped": {"count": 1, "bytes": 3000},
    }
    assert document["size_bytes"] == 6002
    assert document["error"] == {"message": "broken", "hint": "mend it"}
