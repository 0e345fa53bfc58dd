"""hadolint beside orch: absent, broken, or saying what nobody understands."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.app.checking import check
from orchestrator.checks.hadolint import find_hadolint, parse_remarks, run_hadolint
from orchestrator.checks.hadolint_kept import KeptRemarks
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


LINTER = """
[ "$1" = --version ] && exec cat '{folder}/version'
shift 3
for file; do
    echo "$file" >> '{folder}/linted'
    printf '%s{{"file":"%s","code":"DL4000","level":"info","message":"m","line":1}}' "$sep" "$file"
    sep=,
done | {{ printf [; cat; printf ]; }}
"""
"""A hadolint that notes of each file that it was asked, and has one remark on it."""


@dataclass(frozen=True)
class Workspace:
    """A workspace of Dockerfiles beside a hadolint that is `LINTER`."""

    root: Path
    folder: Path

    def remarks(self) -> list[str]:
        checked = check(self.root, Selection(), ["hadolint"])
        assert not checked.not_run
        return [one.file for one in checked.findings]

    def linted(self) -> list[str]:
        """Return what files the linter was asked of since this was asked last."""
        file = self.folder / "linted"
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return sorted(line.removeprefix("./") for line in lines)


A, B = "services/a/Dockerfile", "services/b/Dockerfile"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    folder = tmp_path / "linter"
    write_tree(folder, {"version": "1\n"})
    program(folder, LINTER.format(folder=folder))
    monkeypatch.setattr("sys.executable", str(folder / "python"))
    monkeypatch.setenv("ORCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    files = {"orch.toml": "", A: "FROM debian\nUSER 1\n", B: "FROM debian\nUSER 2\n"}
    return Workspace(write_tree(tmp_path / "ws", files), folder)


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


CRASHING = """
[ "$1" = --version ] && exit
case "$*" in *s07*) echo 'Index too large' >&2; exit 1;; esac
shift 3
for file; do
    printf '%s{"file":"%s","code":"DL4000","level":"info","message":"m","line":1}' "$sep" "$file"
    sep=,
done | { printf [; cat; printf ]; }
"""
"""A hadolint that fails on one file, and with it on all that it is asked of together."""


def test_a_file_that_it_fails_on_is_told_and_the_others_are_linted(workspace: Workspace) -> None:
    more = {f"services/s{n:02}/Dockerfile": f"FROM debian\nUSER {n}\n" for n in range(30)}
    write_tree(workspace.root, more)
    program(workspace.folder, CRASHING)
    checked = check(workspace.root, Selection(), ["hadolint"])
    (bad,) = [one for one in checked.findings if one.rule == "hadolint"]
    assert bad.file == "services/s07/Dockerfile"
    assert bad.message == "hadolint failed: Index too large"
    assert sorted(one.file for one in checked.findings) == sorted([A, B, *more])


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


def test_a_dockerfile_that_did_not_change_is_not_linted_again(workspace: Workspace) -> None:
    assert workspace.remarks() == [A, B]
    assert workspace.linted() == [A, B]
    write_tree(workspace.root, {A: "FROM debian\nUSER 3\n"})
    assert workspace.remarks() == [A, B]
    assert workspace.linted() == [A]


def test_another_workspace_has_the_remarks_on_the_same_text_in_its_own_files(
    workspace: Workspace, tmp_path: Path
) -> None:
    workspace.remarks()
    workspace.linted()
    text = (workspace.root / A).read_text("utf-8")
    root = write_tree(tmp_path / "other", {"orch.toml": "", "services/c/Dockerfile": text})
    other = Workspace(root, workspace.folder)
    assert other.remarks() == ["services/c/Dockerfile"]
    assert other.linted() == []


@pytest.mark.parametrize(
    "settings",
    [
        "ws/.hadolint.yaml",
        "ws/.hadolint.yml",
        "home/.config/hadolint.yaml",
        "home/.hadolint/hadolint.yaml",
        "home/.hadolint/config.yml",
        "home/.hadolint.yaml",
    ],
)
def test_other_settings_of_hadolint_have_all_linted_again(
    workspace: Workspace, tmp_path: Path, settings: str
) -> None:
    for text in ("ignored: [DL3000]\n", "ignored: [DL3001]\n"):
        workspace.remarks()
        workspace.linted()
        write_tree(tmp_path, {settings: text})
        assert workspace.remarks() == [A, B]
        assert workspace.linted() == [A, B]


def test_another_version_of_hadolint_has_all_linted_again(workspace: Workspace) -> None:
    workspace.remarks()
    write_tree(workspace.folder, {"version": "2\n"})
    workspace.linted()
    workspace.remarks()
    assert workspace.linted() == [A, B]


def test_a_variable_of_hadolint_has_all_linted_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.remarks()
    workspace.linted()
    monkeypatch.setenv("ANOTHER", "one")
    workspace.remarks()
    assert workspace.linted() == []
    monkeypatch.setenv("HADOLINT_IGNORE", "DL3000")
    workspace.remarks()
    assert workspace.linted() == [A, B]


def cut_short(text: str) -> str:
    return text[:40]


def with_odd_rows(text: str) -> str:
    return json.dumps({key: [["DL3000", "info"]] for key in json.loads(text)})


def as_a_list(text: str) -> str:
    return f"[{text}]"


@pytest.mark.parametrize("damaged", [cut_short, with_odd_rows, as_a_list])
def test_damaged_remarks_are_found_out_again(
    workspace: Workspace, tmp_path: Path, damaged: Callable[[str], str]
) -> None:
    workspace.remarks()
    workspace.linted()
    file = tmp_path / "cache/hadolint.json"
    file.write_text(damaged(file.read_text("utf-8")), "utf-8")
    for linted in ([A, B], []):
        assert workspace.remarks() == [A, B]
        assert workspace.linted() == linted


def test_a_cache_that_cannot_be_written_costs_time_alone(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCH_CACHE", "/dev/null/cache")
    for _ in range(2):
        assert workspace.remarks() == [A, B]
        assert workspace.linted() == [A, B]


def test_what_changes_while_it_is_linted_is_linted_again(workspace: Workspace) -> None:
    edit = f"printf 'FROM debian\\nUSER 9\\n' > '{workspace.root / A}'"
    program(workspace.folder, LINTER.format(folder=workspace.folder) + f"{edit}\n")
    before = (workspace.root / A).read_text("utf-8")
    workspace.remarks()
    workspace.linted()
    write_tree(workspace.root, {A: before})
    workspace.remarks()
    assert workspace.linted() == [A]


def test_of_many_dockerfiles_those_used_last_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.checks.hadolint_kept._MOST_TEXTS", 2)
    file = tmp_path / "cache/hadolint.json"
    KeptRemarks(file, "judge").remember({"one": (), "two": ()})
    again = KeptRemarks(file, "judge")
    assert again.recall("a", "one") == ()
    again.remember({"three": ()})
    known = [
        text
        for text in ("one", "two", "three")
        if KeptRemarks(file, "judge").recall("", text) == ()
    ]
    assert known == ["one", "three"]


def test_two_processes_share_many_files_and_no_file_is_lost(workspace: Workspace) -> None:
    more = {f"services/s{n:02}/Dockerfile": f"FROM debian\nUSER {n}\n" for n in range(50)}
    write_tree(workspace.root, more)
    shell = program(workspace.folder, "shift 3; echo $# >> count; echo '[]'")
    run_hadolint(shell, workspace.root, sorted(more))
    assert (workspace.root / "count").read_text("utf-8").split() == ["25", "25"]
    program(workspace.folder, LINTER.format(folder=workspace.folder))
    assert workspace.remarks() == sorted([A, B, *more])
