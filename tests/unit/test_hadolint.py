"""hadolint beside orch: absent, broken, or saying what nobody understands."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.app.checking import check
from orchestrator.checks.hadolint import find_hadolint, parse_remarks, run_hadolint
from orchestrator.checks.rule import NotRunError
from orchestrator.checks.rules import RULES
from orchestrator.checks.rules.hadolint import OURS
from orchestrator.select import Selection
from tests.helpers import write_tree


@pytest.fixture
def absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no hadolint, neither beside Python nor on the PATH."""
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin/python"))
    monkeypatch.setenv("PATH", str(tmp_path))


def program(folder: Path, text: str) -> Path:
    file = folder / "hadolint"
    file.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    file.chmod(0o755)
    return file


@pytest.mark.usefixtures("absent")
def test_without_it_the_others_run_and_a_line_says_so(tmp_path: Path) -> None:
    write_tree(tmp_path, {"orch.toml": "", "services/api/Dockerfile": "FROM debian\n"})
    checked = check(tmp_path, Selection())
    assert "latest-in-from" in {one.rule for one in checked.findings}
    assert "orchestrator[hadolint]" in checked.not_run["hadolint"]


@pytest.mark.usefixtures("absent")
def test_one_on_the_path_is_found(tmp_path: Path) -> None:
    file = program(tmp_path, "true")
    assert find_hadolint() == file


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo no such rule >&2; exit 3", "hadolint failed: no such rule"),
        ("exit 3", "hadolint failed: it ended with 3"),
        ("echo nonsense", "cannot be read"),
        ("echo '[{}]'", "cannot be read"),
        ("echo 5", "cannot be read"),
    ],
)
def test_one_that_fails_is_said_to_have_failed(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(NotRunError, match=why):
        run_hadolint(program(tmp_path, text), tmp_path, ["Dockerfile"])


def test_one_that_cannot_be_started_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(NotRunError, match="cannot be run"):
        run_hadolint(tmp_path / "none", tmp_path, ["Dockerfile"])


def test_files_that_look_like_options_are_files(tmp_path: Path) -> None:
    row = '[{"file":"%s","code":"DL1","level":"info","message":"m","line":1}]'
    shell = program(tmp_path, f"printf '{row}' \"$4\"")
    (remark,) = run_hadolint(shell, tmp_path, ["--config"])
    assert remark.file == "--config"


def test_columns_and_whatever_else_is_new_are_passed_over() -> None:
    output = b'[{"file":"./a","code":"SC2086","level":"info","message":"m","line":2,"x":1}]'
    assert [(one.file, one.line) for one in parse_remarks(output)] == [("a", 2)]


def test_what_is_left_to_our_rules_is_left_to_rules_that_there_are() -> None:
    assert set(OURS.values()) <= {one.id for one in RULES}
