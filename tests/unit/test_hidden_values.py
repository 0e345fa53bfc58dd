"""Values that may be secret are in no record, plan, explanation, report or log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator import logs
from orchestrator.app.opened import open_workspace
from orchestrator.state import State
from tests.dockerfiles import prints_of
from tests.helpers import AMD64, ROOT, write_lock, write_tree, write_workspace
from tests.verbs import exit_code

PLANTED = "hunter2"
PLACES = (
    "[config]\nenv = {T = 'VALUE'}\n",
    "[config]\nlabels = {t = 'VALUE'}\n",
    "[config]\nentrypoint = ['serve', '--token', 'VALUE']\n",
    "[config]\ncommand = ['--token=VALUE']\n",
    "[healthcheck]\nhttp = 'http://127.0.0.1/?token=VALUE'\n",
    "[healthcheck]\ncommand = ['check', 'VALUE']\n",
)


@pytest.fixture(autouse=True)
def logs_of_its_own(orch_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a cache of its own, and put back what the command line does to logs."""
    monkeypatch.setattr(logs, "_logger", None)


def run(ws: Path, *words: str) -> None:
    assert not exit_code("-v", "--log-format", "json", "-C", ws, *words)


def write(ws: Path, place: str, value: str) -> None:
    write_workspace(ws, {"base/a": f"from = '{ROOT}'\n{place.replace('VALUE', value)}"})
    write_lock(ws)


@pytest.mark.parametrize("place", PLACES)
def test_a_planted_value_is_in_the_image_and_in_nothing_that_is_kept_or_said_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    ws = tmp_path / "ws"
    write(ws, place, "before-" + PLANTED)
    run(ws, "build", "--report", str(ws / "one.json"))
    write(ws, place, PLANTED)
    run(ws, "plan")
    run(ws, "plan", "--format", "json")
    run(ws, "explain", "a")
    run(ws, "explain", "a", "--format", "json")
    run(ws, "build", "--progress", "json", "--report", str(ws / "two.json"))
    said = capsys.readouterr()
    assert "recipe-changed" in said.out
    assert PLANTED not in said.out + said.err
    holding = {
        file.relative_to(ws).parts[:2]
        for file in ws.rglob("*")
        if file.is_file() and PLANTED.encode() in file.read_bytes()
    }
    assert (ws / ".orch/state.db").is_file()
    assert (ws / ".orch/logs/a.log").is_file()
    assert holding == {("base", "a"), (".orch", "layout")}


def test_a_planted_build_argument_is_in_no_record_and_no_explanation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"orch.toml": "", "base/a/Dockerfile": "FROM debian:12\nARG T\nRUN use $T\n"}
    ws = write_tree(tmp_path / "ws", files)
    write_tree(ws, {"orch.toml": f"[image.a]\nbuild-args = {{T = 'before-{PLANTED}'}}\n"})
    file = open_workspace(ws).paths.database
    State(file).write("a", AMD64.key, prints_of(ws)["a"], "sha256:x", 1.0)
    write_tree(ws, {"orch.toml": f"[image.a]\nbuild-args = {{T = '{PLANTED}'}}\n"})
    run(ws, "plan")
    run(ws, "explain", "a")
    run(ws, "explain", "a", "--format", "json")
    said = capsys.readouterr()
    assert "argument-changed T" in said.out
    assert PLANTED not in said.out + said.err
    assert PLANTED.encode() not in file.read_bytes()


def test_an_explanation_names_the_variable_and_two_digests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, PLACES[0], "one")
    run(tmp_path, "build")
    write(tmp_path, PLACES[0], "two")
    capsys.readouterr()
    run(tmp_path, "explain", "a", "--format", "json")
    (image,) = json.loads(capsys.readouterr().out)["images"]
    (reason,) = image["reasons"]
    assert (reason["code"], reason["subject"]) == ("recipe-changed", "env T")
    assert reason["detail"] == f"{reason['old']} -> {reason['new']}"
    assert len({reason["old"], reason["new"]}) == 2
