"""Log events: names and keys that stay, the id of the run, and how they look."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

import orchestrator
from orchestrator import logs
from orchestrator.ports import Status

SOURCE = Path(orchestrator.__file__).parent
PAGE = SOURCE.parent / "docs/reference/events.md"


def calls() -> Iterator[ast.Call]:
    """Yield every call of `logs.event`."""
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "logs.event":
                yield node


def names_of(call: ast.Call) -> list[str]:
    """Return the names that an event is logged under; of a status it has several."""
    (name,) = call.args
    if isinstance(name, ast.Constant):
        return [str(name.value)]
    text = ast.unparse(name)
    assert text == "f'image.{outcome.status.value}'", f"the name {text} is not documented"
    return [f"image.{status.value}" for status in Status]


def test_every_event_and_its_keys_are_documented_and_no_other() -> None:
    logged: dict[str, set[str]] = {}
    for call in calls():
        for name in names_of(call):
            logged.setdefault(name, set()).update(str(keyword.arg) for keyword in call.keywords)
    table = PAGE.read_text("utf-8").rpartition("| event |")[2]
    documented = {}
    for row in re.findall(r"^\| (`.*)$", table, re.MULTILINE):
        names, keys, *_ = row.split(" | ")
        for name in re.findall(r"`([^`]+)`", names):
            documented[name] = set(re.findall(r"`([^`]+)`", keys))
    assert documented == logged
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+", name) for name in logged)


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put back that nothing is logged."""
    monkeypatch.setattr(logs, "_logger", None)
    monkeypatch.delenv("CI", raising=False)
    yield
    structlog.reset_defaults()


def logged_line(capsys: pytest.CaptureFixture[str], log_format: str) -> str:
    logs.configure(log_format)
    logs.event("layer.made", what="files")
    return capsys.readouterr().err


def test_every_event_carries_the_id_of_its_run(
    configured: None, capsys: pytest.CaptureFixture[str]
) -> None:
    first = logs.begin_run()
    event = json.loads(logged_line(capsys, "json"))
    assert set(event) == {"event", "run", "timestamp", "what"}
    assert event["run"] == first
    assert logs.begin_run() != first
    assert json.loads(logged_line(capsys, "json"))["run"] == logs.run_id()


@pytest.mark.parametrize(
    ("log_format", "ci", "is_json"),
    [
        ("auto", "", False),
        ("auto", "true", True),
        ("console", "true", False),
        ("json", "", True),
    ],
)
def test_events_are_json_in_ci_unless_the_command_line_says_otherwise(
    configured: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    log_format: str,
    ci: str,
    *,
    is_json: bool,
) -> None:
    monkeypatch.setenv("CI", ci)
    assert logged_line(capsys, log_format).startswith("{") is is_json


def test_events_are_kept_for_who_asks_though_nothing_is_logged(configured: None) -> None:
    with logs.keeping() as kept:
        logs.event("layer.made", what="files")
    logs.event("layer.made", what="later")
    assert [(event.name, event.fields) for event in kept] == [("layer.made", {"what": "files"})]
