"""What a person reads in a terminal."""

from __future__ import annotations

import pytest

from orchestrator.errors import OrchError
from orchestrator.fingerprint import Fingerprint
from orchestrator.oci.layer import Layer
from orchestrator.plan import Plan, Recorded, plan_builds
from orchestrator.ports import Made, Outcome, Status
from orchestrator.report.text import (
    format_bytes,
    format_log,
    format_outcome,
    format_summary,
    plan_lines,
)
from tests.helpers import AMD64, graph_of

GRAPH = graph_of("base; web: base; api: web; ml: base")
EMPTY = Fingerprint.of(())


def plan_of(recorded: tuple[str, ...] = ()) -> Plan:
    records = {name: Recorded(EMPTY, "sha256:" + "a" * 64) for name in recorded}
    return plan_builds(GRAPH, AMD64, dict.fromkeys(GRAPH.images, EMPTY), records)


STEP = plan_of().steps["web"]
LAYERS = tuple(Layer(f"sha256:{name}", "", 1, 1, name) for name in ("old", "new"))
MADE = Made("sha256:" + "ab" * 32, 12_345_678, 0, LAYERS, frozenset({"sha256:old"}))


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_345_678, "12.3 MB"),
        (3e9, "3.0 GB"),
        (5e15, "5000.0 TB"),
        (999_999, "1.0 MB"),
    ],
)
def test_a_size_is_shown_in_decimal_units(size_bytes: float, text: str) -> None:
    assert format_bytes(size_bytes) == text


def test_what_was_built_is_one_line_with_its_new_layers() -> None:
    line = format_outcome(Outcome(STEP, Status.BUILT, made=MADE, duration_s=1.25))
    assert line == "built web  sha256:abababababab  12.3 MB, 1 of 2 layers new, 1.2 s"


def test_a_failure_shows_its_place_and_its_hint() -> None:
    error = OrchError("no such package", hint="look", file="base/web/image.toml", line=3)
    assert format_outcome(Outcome(STEP, Status.FAILED, error=error)) == (
        "failed web: base/web/image.toml:3: no such package\n  hint: look"
    )


def test_a_failure_without_hint_is_one_line() -> None:
    assert format_outcome(Outcome(STEP, Status.FAILED, error=OrchError("x"))) == "failed web: x"


def test_a_skipped_image_says_because_of_whom() -> None:
    assert format_outcome(Outcome(STEP, Status.SKIPPED, "base failed")) == (
        "skipped web: base failed"
    )


def test_the_summary_counts_by_status() -> None:
    outcomes = {
        "a": Outcome(STEP, Status.BUILT),
        "b": Outcome(STEP, Status.BUILT),
        "c": Outcome(STEP, Status.FAILED),
    }
    assert format_summary(outcomes, 3.21) == "2 built, 1 failed in 3.2 s"
    assert format_summary({}, 0.0) == "nothing to build in 0.0 s"


def test_a_plan_is_a_tree_with_reasons_and_a_total() -> None:
    assert plan_lines(GRAPH, plan_of(("base", "ml"))) == [
        "base  reuse",
        "├── web  build: never-built",
        "│   └── api  build: never-built",
        "└── ml  reuse",
        "2 build, 2 reuse",
    ]


def test_a_plan_of_nothing_says_so() -> None:
    assert plan_lines(GRAPH, Plan({})) == ["nothing to build"]


def test_a_log_says_why_and_which_layers_are_new() -> None:
    outcome = Outcome(STEP, Status.BUILT, "never-built", MADE, 0.0, 1.5, 1)
    text = format_log(outcome)
    assert "attempts 1" in text
    assert "never-built" in text
    assert [line.split()[1] for line in text.splitlines() if "sha256:old" in line] == ["reused"]
    assert [line.split()[1] for line in text.splitlines() if "sha256:new" in line] == ["new"]


def test_a_log_of_a_failure_has_its_error_and_hint() -> None:
    error = OrchError("no such file", hint="look again", file="x.toml", line=3)
    text = format_log(Outcome(STEP, Status.FAILED, "no such file", None, 0.0, 1.5, 1, error))
    assert "x.toml:3: no such file" in text
    assert "hint: look again" in text
