"""What buildx prints, read."""

from __future__ import annotations

import base64
import json

import pytest

from orchestrator.engines.buildkit.failures import find_failure, lost_engine
from orchestrator.engines.buildkit.progress import Progress
from orchestrator.errors import BuildError, UnreachableError

STARTED = "2026-01-01T00:00:00Z"


def vertex(name: str, **more: object) -> dict[str, object]:
    return {"vertexes": [{"digest": f"sha256:{name}", "name": name, "started": STARTED, **more}]}


def log(name: str, text: str) -> dict[str, object]:
    data = base64.b64encode(text.encode()).decode()
    return {"logs": [{"vertex": f"sha256:{name}", "stream": 1, "data": data}]}


def read(*parts: object, indent: int | None = None) -> tuple[Progress, list[str]]:
    """Feed objects and plain lines, as they come out of buildx."""
    progress = Progress()
    shown = []
    for part in parts:
        text = part if isinstance(part, str) else json.dumps(part, indent=indent)
        for line in text.splitlines(keepends=True):
            shown += list(progress.feed(f"{line.rstrip()}\n"))
    return progress, shown


@pytest.mark.parametrize("indent", [None, 2])
def test_steps_are_numbered_as_they_begin_and_their_output_stands_beside(
    indent: int | None,
) -> None:
    _, shown = read(
        vertex("load"),
        vertex("run"),
        log("run", "one\ntw"),
        log("load", "x\n"),
        log("run", "o\n"),
        vertex("load", completed=STARTED, cached=True),
        indent=indent,
    )
    assert shown == ["#1 load", "#2 run", "#2 one", "#1 x", "#2 two", "#1 CACHED"]


def test_a_line_that_was_not_ended_is_shown_when_its_step_ends() -> None:
    _, shown = read(vertex("run"), log("run", "no end"), vertex("run", completed=STARTED))
    assert shown[-1] == "#1 no end"


def test_of_a_line_that_was_written_over_the_last_state_is_shown() -> None:
    _, shown = read(vertex("run"), log("run", "10%\r20%\r30%\r\n"))
    assert shown[-1] == "#1 30%"


def test_the_last_lines_are_those_of_the_step_that_failed() -> None:
    progress, _ = read(
        vertex("run"),
        vertex("other"),
        log("run", "a\nb\nc\n"),
        log("other", "not this\n"),
        vertex("other", error="context canceled", completed=STARTED),
        vertex("run", error="exit code: 1", completed=STARTED),
    )
    assert progress.last_lines(2) == ["b", "c"]


def test_what_is_no_json_is_what_buildx_says() -> None:
    progress, _ = read(vertex("run"), "Dockerfile:2\n----\nERROR: failed to solve: no\n")
    assert progress.said == ["Dockerfile:2", "----", "ERROR: failed to solve: no"]


def test_braces_that_are_no_json_are_kept_as_text() -> None:
    progress, shown = read("{not json}\n")
    assert (progress.said, shown) == (["{not json}"], [])


RUN_FAILED = [
    "Dockerfile:7",
    "--------------------",
    "   7 | >>> RUN pip install x",
    "--------------------",
    'ERROR: process "/bin/sh -c pip install x" did not complete successfully: exit code: 1',
]


def test_an_error_names_the_dockerfile_s_line_the_instruction_and_its_last_lines() -> None:
    error = find_failure("api/Dockerfile", RUN_FAILED, ["no such package"], "see the log")
    assert isinstance(error, BuildError)
    assert str(error) == ("api/Dockerfile:7: RUN pip install x: exit code: 1\n  | no such package")
    assert (error.hint, error.may_pass) == ("see the log", False)


@pytest.mark.parametrize("place", ["on line 2", "line 2"])  # the latter from engine 20.10
def test_a_parse_error_names_its_line(place: str) -> None:
    said = [f"ERROR: failed to solve: dockerfile parse error {place}: unknown instruction: COPPY"]
    assert find_failure("Dockerfile", said, [], "").line == 2


@pytest.mark.parametrize(
    "fault",
    [
        "dial tcp 10.0.0.1:443: i/o timeout",
        "net/http: TLS handshake timeout",
        "unexpected status code 503 Service Unavailable",
        "lookup registry.example.com: no such host",
        "toomanyrequests: rate exceeded",
    ],
)
def test_a_fault_of_the_network_may_pass(fault: str) -> None:
    error = find_failure("Dockerfile", [f"ERROR: failed to solve: x: {fault}"], [], "")
    assert isinstance(error, UnreachableError)
    assert error.may_pass


def test_a_fault_of_the_network_in_a_step_s_output_may_pass() -> None:
    output = ["Err:1 http://deb.example.com x", "  Temporary failure resolving 'deb.example.com'"]
    assert find_failure("Dockerfile", RUN_FAILED, output, "").may_pass


def test_an_engine_that_goes_away_is_told_from_a_step_that_fails() -> None:
    assert lost_engine(["ERROR: failed to receive status: rpc error: code = Unavailable desc = x"])
    assert lost_engine(["ERROR: Cannot connect to the Docker daemon at unix:///x.sock."])
    assert not lost_engine(RUN_FAILED)
