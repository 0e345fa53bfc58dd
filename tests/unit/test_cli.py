"""The command line: exit codes, what goes where, and that nobody sees a traceback."""

from __future__ import annotations

import errno
import json
import os
import signal
from pathlib import Path
from typing import NoReturn

import pytest

import orchestrator.app.building
from orchestrator.cli import _VERBS
from orchestrator.lockfile import ImageLock
from tests.helpers import ROOT, deb_of, write_lock, write_tree, write_workspace
from tests.verbs import Orch, orch_in

COPY = "[[files]]\nfrom = 'src'\nto = '/app'\n"
VERBS = ("build", "plan", "graph", "lock")


@pytest.fixture
def orch(tmp_path: Path, orch_cache: Path, capsys: pytest.CaptureFixture[str]) -> Orch:
    """Return `orch -C WORKSPACE ...` as a function."""
    return orch_in(tmp_path, capsys)


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    """Write a locked workspace of three images that need no download."""
    write_workspace(
        tmp_path,
        {
            "base/a": f'from = "{ROOT}"\n{COPY}',
            "base/b": f'from = "{ROOT}"\n',
            "services/s": 'from = "a"\n',
        },
    )
    write_tree(tmp_path, {"base/a/src/x.txt": "x"})
    write_lock(tmp_path)
    return tmp_path


def unavailable(ws: Path) -> None:
    write_lock(ws, {"a": ImageLock(unavailable="no wheel of x for this platform")})


def broken(ws: Path) -> None:
    """Lock for `a` what is not in the cache."""
    write_lock(ws, {"a": ImageLock((deb_of("curl"),))})


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("verb", _VERBS)
def test_every_verb_has_help(orch: Orch, verb: str) -> None:
    ran = orch(verb, "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"Usage: orch {verb} [OPTIONS]")
    assert ran.err == ""


def test_help_lists_every_verb(orch: Orch) -> None:
    ran = orch("--help")
    assert ran.code == 0
    assert all(f"\n  {verb} " in ran.out for verb in _VERBS)


def test_the_version_is_told(orch: Orch) -> None:
    assert orch("--version").out.startswith("orch, version ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["bild"],
        ["build", "--jobs", "0"],
        ["build", "--jobs", "many"],
        ["build", "--nonsense"],
        ["plan", "--format", "xml"],
        ["plan", "--tier", "x"],
        ["graph", "--format", "png"],
        ["lock", "numpy"],
        ["lock", "--check", "--outdated"],
        ["lock", "--explain", "x", "--check"],
        ["lock", "--check", "--upgrade"],
        ["lock", "--outdated", "--dry-run"],
        ["lock", "--explain", "x", "--upgrade-package", "y"],
        ["lock", "--upgrade", "--upgrade-package", "y"],
        ["lock", "--explain", "nobody"],
        ["lock", "--upgrade-package", "nobody"],
        ["lock", "--upgrade", "nobody"],
        ["plan", "pyton"],
        ["build", "zzz*"],
        ["build", "--platform", "linux/vax"],
        ["build", "--platform", "linux/arm64"],
    ],
)
def test_a_wrong_request_is_code_2(orch: Orch, ws: Path, arguments: list[str]) -> None:
    ran = orch(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "rror: " in ran.err


def test_a_folder_that_is_not_there_is_code_2_though_one_above_is_a_workspace(
    orch: Orch, ws: Path
) -> None:
    ran = orch("-C", str(ws / "gone"), "graph")
    assert ran.code == 2
    assert "does not exist" in ran.err


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no orch.toml in"),
        ({"orch.toml": "bases = 1"}, "orch.toml:1: bases must be a list of strings"),
        ({"orch.toml": "a = = 1"}, "orch.toml:1: is not valid TOML"),
        ({"orch.toml": "", "base/a/image.toml": "form = 'x'"}, "no 'from'"),
        ({"orch.toml": "", "base/a/image.toml": "from = 'a'"}, "a -> a"),
        ({"orch.toml": "", "base/a/image.toml": "from = 'b'"}, "a stands on 'b'"),
        ({"orch.toml": "", "base/A/image.toml": "from = 'b:1'"}, "cannot name an image"),
    ],
)
@pytest.mark.parametrize("verb", VERBS)
def test_a_wrong_workspace_is_code_2_with_a_hint_on_every_verb(
    orch: Orch, tmp_path: Path, verb: str, files: dict[str, str], message: str
) -> None:
    write_tree(tmp_path, files)
    ran = orch(verb)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert message in ran.err


@pytest.mark.parametrize("arguments", [["build"], ["plan"], ["lock", "--check"]])
def test_a_missing_lock_says_what_to_run(orch: Orch, ws: Path, arguments: list[str]) -> None:
    (ws / "orch.lock").unlink()
    ran = orch(*arguments)
    assert (ran.code, ran.err) == (2, "error: there is no orch.lock\nhint: run: orch lock\n")


def test_a_lock_that_is_behind_is_named(orch: Orch, ws: Path) -> None:
    assert orch("lock", "--check").code == 0
    write_tree(ws, {"base/b/image.toml": f'from = "{ROOT}"\nsystem.packages = ["curl"]\n'})
    for arguments, code in ((["lock", "--check"], 1), (["plan"], 2), (["build"], 2)):
        ran = orch(*arguments)
        assert ran.code == code
        assert "behind what is asked for by: b\nhint: run: orch lock" in ran.err


def test_the_graph_is_data_on_standard_output(orch: Orch, ws: Path) -> None:
    ran = orch("graph", "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.data["schema"] == "orch.graph/1"
    assert [image["name"] for image in ran.data["images"]] == ["a", "b", "s"]


def test_the_plan_is_data_on_standard_output(orch: Orch, ws: Path) -> None:
    ran = orch("plan", "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.data["schema"] == "orch.plan/1"
    assert {image["action"] for image in ran.data["images"]} == {"build"}


@pytest.mark.parametrize(
    "arguments", [["plan"], ["build", "--dry-run"], ["graph"], ["explain", "s"], ["affected", "x"]]
)
def test_showing_a_plan_writes_nothing(
    orch: Orch, ws: Path, orch_cache: Path, arguments: list[str]
) -> None:
    before = snapshot(ws)
    assert orch(*arguments).code == 0
    assert snapshot(ws) == before


def test_a_dry_run_shows_what_plan_shows(orch: Orch, ws: Path) -> None:
    assert orch("build", "--dry-run").out == orch("plan").out


def test_a_build_is_done_once(orch: Orch, ws: Path) -> None:
    first, second = orch("build"), orch("build")
    assert (first.code, second.code, first.out) == (0, 0, "")
    assert "3 built" in first.err
    assert second.err.startswith("3 reused in ")


def test_a_build_of_one_image_builds_what_it_stands_on_and_no_more(orch: Orch, ws: Path) -> None:
    orch("build", "s")
    actions = {
        image["name"]: image["action"] for image in orch("plan", "--format", "json").data["images"]
    }
    assert actions == {"a": "reuse", "b": "build", "s": "reuse"}


def test_a_change_rebuilds_what_stands_on_it_and_the_plan_says_why(orch: Orch, ws: Path) -> None:
    orch("build")
    (ws / "base/a/src/x.txt").write_text("y")
    images = {image["name"]: image for image in orch("plan", "--format", "json").data["images"]}
    assert images["b"]["action"] == "reuse"
    assert [reason["code"] for reason in images["a"]["reasons"]] == ["file-changed"]
    assert [reason["code"] for reason in images["s"]["reasons"]] == ["parent-changed"]


def test_force_builds_the_selected_though_nothing_changed(orch: Orch, ws: Path) -> None:
    orch("build")
    ran = orch("plan", "--force", "a")
    assert "a  build: forced" in ran.out


def test_quiet_says_nothing_when_all_is_well(orch: Orch, ws: Path) -> None:
    ran = orch("-q", "build")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_json_progress_is_objects_alone_but_for_the_summary(orch: Orch, ws: Path) -> None:
    lines = orch("build", "--progress", "json").err.splitlines()
    events = [json.loads(line) for line in lines[:-1]]
    assert len(events) == 6
    assert {event["schema"] for event in events} == {"orch.progress/1"}


def test_a_failure_is_code_1_and_what_stands_on_it_is_skipped(orch: Orch, ws: Path) -> None:
    broken(ws)
    ran = orch("build", "--offline", "--report", str(ws / "report.json"))
    assert ran.code == 1
    assert "failed a: " in ran.err
    assert "--offline forbids fetching it: curl 1.0\n  hint: run once without" in ran.err
    assert "skipped s: a failed" in ran.err
    report = json.loads((ws / "report.json").read_text())
    assert (report["schema"], report["ok"]) == ("orch.build/1", False)
    images = {image["name"]: image for image in report["images"]}
    assert {name: image["status"] for name, image in images.items()} == {
        "a": "failed",
        "b": "built",
        "s": "skipped",
    }
    assert images["a"]["error"]["hint"] == "run once without --offline"


def test_a_failed_build_is_not_recorded(orch: Orch, ws: Path) -> None:
    broken(ws)
    orch("build", "--offline")
    assert "a  build: never-built" in orch("plan").out


def test_a_report_tells_what_a_reused_image_holds(orch: Orch, ws: Path) -> None:
    report = ws / "report.json"
    orch("build", "--report", str(report))
    built = json.loads(report.read_text())["images"]
    orch("build", "--report", str(report))
    reused = json.loads(report.read_text())["images"]
    for before, after in zip(built, reused, strict=True):
        for key in ("digest", "size_bytes", "unpacked_bytes"):
            assert before[key] == after[key]
    assert {image["status"] for image in reused} == {"reused"}


def test_a_report_that_cannot_be_written_is_an_error_with_a_hint(orch: Orch, ws: Path) -> None:
    ran = orch("build", "--report", str(ws / "orch.toml" / "report.json"))
    assert ran.code == 1
    assert "hint: " in ran.err


def test_an_unavailable_image_is_a_warning_when_everything_was_asked_for(
    orch: Orch, ws: Path
) -> None:
    unavailable(ws)
    ran = orch("build")
    assert ran.code == 0
    assert "warning: unavailable a: no wheel of x for this platform" in ran.err
    assert "warning: unavailable s: " in ran.err
    assert "1 built, 2 unavailable" in ran.err


@pytest.mark.parametrize("arguments", [["a"], ["s"], ["--services"], ["--strict"]])
def test_an_unavailable_image_is_code_3_when_it_was_named_or_with_strict(
    orch: Orch, ws: Path, arguments: list[str]
) -> None:
    unavailable(ws)
    assert orch("build", *arguments).code == 3


def test_an_unavailable_image_that_nobody_named_is_no_failure(orch: Orch, ws: Path) -> None:
    unavailable(ws)
    assert orch("build", "b").code == 0


def test_loading_without_docker_is_code_3_with_a_hint(
    orch: Orch, ws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    ran = orch("build", "--load")
    assert ran.code == 3
    assert "error: no Docker engine answers" in ran.err
    assert "hint: start Docker, or set DOCKER_HOST" in ran.err


def test_an_interrupt_is_code_130(orch: Orch, ws: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(orchestrator.app.building, "build", interrupt)
    ran = orch("build")
    assert (ran.code, ran.err) == (130, "\nerror: interrupted\n")


def test_sigterm_counts_as_an_interrupt(
    orch: Orch, ws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        orchestrator.app.building, "build", lambda *_: os.kill(os.getpid(), signal.SIGTERM)
    )
    assert orch("build").code == 130


def test_a_damaged_state_is_said_aloud_and_begun_anew(orch: Orch, ws: Path) -> None:
    orch("build")
    (ws / ".orch/state.db").write_text("no database")
    ran = orch("plan")
    assert ran.code == 0
    assert "warning: " in ran.err
    assert "what it knew is built again" in ran.err
    assert orch("build").code == 0
    assert "what it knew" not in orch("plan").err


def test_deleting_the_state_costs_time_and_nothing_else(orch: Orch, ws: Path) -> None:
    report = ws / "report.json"
    orch("build", "--report", str(report))
    before = {image["name"]: image["digest"] for image in json.loads(report.read_text())["images"]}
    (ws / ".orch/state.db").unlink()
    orch("build", "--report", str(report))
    after = {image["name"]: image["digest"] for image in json.loads(report.read_text())["images"]}
    assert after == before


def test_a_missing_source_file_is_code_2_and_names_the_recipe(orch: Orch, ws: Path) -> None:
    (ws / "base/a/src/x.txt").unlink()
    (ws / "base/a/src").rmdir()
    ran = orch("build")
    assert ran.code == 2
    assert "error: base/a/image.toml: [[files]] src does not exist" in ran.err


def test_no_colour_reaches_a_pipe(orch: Orch, ws: Path) -> None:
    unavailable(ws)
    assert "\x1b" not in orch("build").err


def test_explain_says_what_changed_and_in_which_image(orch: Orch, ws: Path) -> None:
    orch("build")
    (ws / "base/a/src/x.txt").write_text("y")
    ran = orch("explain", "s")
    assert ran.code == 0
    assert "app/x.txt" in ran.out
    assert orch("explain", "s", "--format", "json").data["schema"] == "orch.explain/1"


def test_explaining_an_unknown_image_names_the_nearest(orch: Orch, ws: Path) -> None:
    write_workspace(ws, {"services/search": 'from = "a"\n'})
    write_lock(ws)
    ran = orch("explain", "serch")
    assert ran.code == 2
    assert "hint: did you mean 'search'?" in ran.err


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("base/a/src/x.txt", ["a", "s"]),
        ("base/a/src/gone/deleted.txt", ["a", "s"]),
        ("base/a/image.toml", ["a", "s"]),
        ("base/a/README.md", []),
        ("base/a/requirements.txt", ["a", "s"]),
        ("services/s/image.toml", ["s"]),
        ("docs/x.md", []),
        ("orch.toml", ["a", "b", "s"]),
    ],
)
def test_affected_lists_what_a_file_reaches(
    orch: Orch, ws: Path, path: str, names: list[str]
) -> None:
    ran = orch("affected", path)
    assert (ran.code, ran.out.split(), ran.err) == (0, names, "")
    assert orch("affected", path, "--format", "json").data["schema"] == "orch.affected/1"


@pytest.mark.parametrize("path", ["orch.lock", "constraints.txt"])
def test_affected_warns_where_it_cannot_tell_what_changed(orch: Orch, ws: Path, path: str) -> None:
    ran = orch("affected", path)
    assert (ran.code, ran.out.split()) == (0, ["a", "b", "s"])
    assert ran.err.startswith(f"warning: {path}: git has no last commit with {path}; every ")


def test_affected_sees_through_a_link_to_the_workspace(
    orch: Orch, ws: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    link = tmp_path_factory.mktemp("links") / "ws"
    link.symlink_to(ws)
    assert orch("-C", str(link), "affected", "base/a/src/x.txt").out.split() == ["a", "s"]


def test_affected_follows_what_requirement_files_include(orch: Orch, ws: Path) -> None:
    write_tree(ws, {"base/a/requirements.txt": "-r ../../shared/web.txt\n"})
    write_tree(ws, {"shared/web.txt": "-r more.txt\n-r web.txt\n"})
    for path in ("shared/web.txt", "shared/more.txt"):
        assert orch("affected", path).out.split() == ["a", "s"]


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (OSError(errno.EMFILE, "Too many open files", os.devnull), 1, f"error: {os.devnull}: "),
    ],
)
def test_what_happens_before_the_first_word_is_read_is_an_error_too(
    fault: BaseException, code: int, said: str, orch: Orch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object) -> NoReturn:
        monkeypatch.undo()
        raise fault

    monkeypatch.setattr(os, "open", opened)
    ran = orch("plan")
    assert ran.code == code
    assert said in ran.err
