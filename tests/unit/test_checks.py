"""`orch check` around the rules: what is put up with, what is broken, and how it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.checks.finding import Finding, Region, Severity
from orchestrator.checks.reading import read_subject
from orchestrator.checks.rule import NotRunError, rule
from orchestrator.checks.rules import RULES
from orchestrator.checks.run import UNUSED, run_rules
from orchestrator.checks.subject import Subject
from orchestrator.checks.suppression import Suppression
from orchestrator.errors import WorkspaceError
from orchestrator.report.sarif import sarif_document
from orchestrator.select import Selection
from orchestrator.settings import read_settings
from tests.check_runs import AGAIN, ids, run
from tests.helpers import write_tree
from tests.rule_cases import API, ASKS, BASE_ASKS, SERVICE, SETTINGS, TODAY, check, write_case
from tests.sarif import check_sarif

ROOT = Path(__file__).parents[2]
EXCEPTION = "[[checks.exceptions]]\nrule = 'requirement-in-base'\nreason = 'r'\n"


@pytest.mark.parametrize(
    "text",
    [
        "fastapi  # orch: ignore[requirement-in-base] theirs is old\n",
        "# orch: ignore[unused-base, requirement-in-base] theirs is old\n# more\n\nfastapi\n",
    ],
)
def test_a_comment_with_a_reason_suppresses_what_it_names(tmp_path: Path, text: str) -> None:
    checked = check(write_case(tmp_path, {**AGAIN, ASKS: text}))
    assert not checked.findings
    (suppressed,) = checked.suppressed
    assert suppressed.reason == "theirs is old"
    assert suppressed.in_source


@pytest.mark.parametrize(
    "text",
    [
        "fastapi  # orch: ignore[requirement-in-base]\n",
        "fastapi  # orch: ignore because\n",
        "fastapi  # orch: ignore[unused-base] another rule\n",
        "# orch: ignore[requirement-in-base] another line\nflask\nfastapi\n",
    ],
)
def test_other_comments_suppress_nothing_and_are_findings(tmp_path: Path, text: str) -> None:
    checked = check(write_case(tmp_path, {**AGAIN, ASKS: text}))
    assert "requirement-in-base" in ids(checked)
    assert len(checked.findings) == 2
    assert not checked.suppressed


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ("", True),
        ("images = ['a*']\n", True),
        ("images = ['web']\n", False),
        ("paths = ['services/*']\n", True),
        ("paths = ['base/*']\n", False),
        ("paths = ['base/*']\nimages = ['api']\n", True),
        (f"until = '{TODAY}'\n", True),
        ("until = '2026-11-19'\n", False),
    ],
)
def test_an_exception_holds_for_its_images_its_files_and_to_its_last_day(
    tmp_path: Path,
    where: str,
    holds: bool,  # noqa: FBT001 - a row of a table
) -> None:
    settings = {"orch.toml": SETTINGS + EXCEPTION + where}
    checked = check(write_case(tmp_path, {**AGAIN, **settings}))
    assert len(checked.suppressed) == holds
    assert sorted(ids(checked)) == ([] if holds else ["requirement-in-base", UNUSED])


@pytest.mark.parametrize("lacking", ["rule", "reason"])
def test_an_exception_needs_a_rule_and_a_reason(tmp_path: Path, lacking: str) -> None:
    text = EXCEPTION.replace(f"{lacking} =", "paths = [] #")
    write_case(tmp_path, {"orch.toml": SETTINGS + text})
    with pytest.raises(WorkspaceError, match=lacking) as raised:
        check(tmp_path)
    assert raised.value.line == 3


def test_a_comment_is_not_about_a_finding_without_a_line() -> None:
    comment = Suppression("f", 1, 1, ("x",), "why")
    finding = Finding("x", Severity.NOTE, "m", file="f")
    assert not comment.covers(finding)
    assert comment.covers(replace(finding, region=Region(1)))


def test_what_is_wrong_with_the_second_exception_is_shown_there(tmp_path: Path) -> None:
    first = EXCEPTION + f"until = '{TODAY}'\n"
    for second, line in (("until = 'soon'\n", 10), ("paths = []\n", 7)):
        text = EXCEPTION if line == 10 else EXCEPTION.replace("reason", "# ")
        write_case(tmp_path, {"orch.toml": SETTINGS + first + text + second})
        with pytest.raises(WorkspaceError) as raised:
            check(tmp_path)
        assert raised.value.line == line


def test_each_exception_is_named_by_its_own_line(tmp_path: Path) -> None:
    other = EXCEPTION.replace("requirement-in-base", "unused-base")
    checked = check(write_case(tmp_path, {"orch.toml": SETTINGS + EXCEPTION + other}))
    assert [finding.where for finding in checked.findings] == ["orch.toml:3", "orch.toml:6"]


def test_nothing_is_called_unused_where_not_everything_was_looked_at(tmp_path: Path) -> None:
    comment = {ASKS: "flask  # orch: ignore[requirement-in-base] r\n"}
    write_case(tmp_path, comment)
    assert ids(check(tmp_path)) == [UNUSED]
    assert not check(tmp_path, "requirement-in-base").findings
    assert not check(tmp_path, selection=Selection(names=["core"])).findings


def test_nothing_is_called_unused_of_a_rule_that_could_not_look(tmp_path: Path) -> None:
    @rule("foreign", Severity.ERROR, passes_on=r"DL\d+")
    def foreign(_: Subject) -> Iterator[Finding]:
        """Another tool."""
        raise NotRunError("it is not installed")
        yield

    root = write_case(tmp_path, {ASKS: "flask  # orch: ignore[DL3008] r\n"})
    subject = read_subject(read_settings(root), Selection().choose)
    checked = run_rules(subject, (foreign,), TODAY)
    assert checked.not_run == {"foreign": "it is not installed"}
    assert not checked.findings
    check_sarif(sarif_document(checked, root))


def test_findings_about_images_that_are_not_selected_are_dropped(tmp_path: Path) -> None:
    write_case(tmp_path, {API: SERVICE.replace("1000", "0")})
    assert ids(check(tmp_path)) == ["runs-as-root"]
    assert not check(tmp_path, selection=Selection(bases=True)).findings


def test_a_rule_that_looks_at_all_images_reports_those_selected(tmp_path: Path) -> None:
    pins = {ASKS: "httpx==1\n", "services/web/requirements.txt": "httpx==2\n"}
    write_case(tmp_path, {**pins, "services/web/image.toml": SERVICE})
    assert ids(check(tmp_path, selection=Selection(names=["web"]))) == ["pins-differ"]
    assert not check(tmp_path, selection=Selection(names=["api"])).findings


def test_a_broken_file_is_a_finding_and_the_others_are_checked(tmp_path: Path) -> None:
    broken = {
        "base/bad/image.toml": "from = \n",
        "services/above/image.toml": 'from = "bad"\n',
        "services/lost/image.toml": 'from = "nowhere"\n',
        "services/docker/Dockerfile": "RUN x\n",
        ASKS: "not a requirement\n",
        "orch.lock": "version = 1",
        "services/web/image.toml": SERVICE.replace("1000", "root"),
    }
    checked = check(write_case(tmp_path, broken))
    found = {finding.file for finding in checked.findings if finding.rule == "invalid-file"}
    assert found == set(broken) - {"services/above/image.toml", "services/web/image.toml"}
    assert "runs-as-root" in ids(checked)


def test_a_workspace_of_which_nothing_is_locked_needs_no_lock(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    dockerfile = {"orch.toml": "", "services/api/Dockerfile": "FROM debian\n"}
    roots = write_tree(tmp_path / "dockerfiles", dockerfile), write_case(tmp_path / "recipes", {})
    choose = Selection().choose
    locks = [read_subject(read_settings(root), choose).lock is None for root in roots]
    assert locks == [False, True]


def test_settings_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    write_case(tmp_path, {"orch.toml": "bases = 1\n"})
    with pytest.raises(WorkspaceError, match="bases must be"):
        check(tmp_path)


def test_fingerprints_stay_when_lines_move_and_differ_for_equal_lines(tmp_path: Path) -> None:
    def prints(files: dict[str, str]) -> list[str]:
        root = write_case(tmp_path, files)
        document = sarif_document(check(root, "requirement-in-base"), root)
        (log,) = document["runs"]
        return [item["partialFingerprints"]["orchFinding/v1"] for item in log["results"]]

    before = prints(AGAIN)
    assert prints({BASE_ASKS: "\nfastapi\n", ASKS: "\n\nfastapi  # web\nhttpx\n"}) == before
    twice = prints({**AGAIN, ASKS: "fastapi  # web\nfastapi  # web\n"})
    assert twice[0] == before[0]
    assert twice[1] not in before


def test_suppressed_findings_are_in_sarif_with_their_reason(tmp_path: Path) -> None:
    root = write_case(tmp_path, {**AGAIN, "orch.toml": SETTINGS + EXCEPTION})
    document = sarif_document(check(root), root)
    check_sarif(document)
    (result,) = document["runs"][0]["results"]
    assert result["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "r"}
    ]
    (change,) = result["fixes"][0]["artifactChanges"]
    assert change["replacements"][0]["deletedRegion"]["startLine"] == 2


def test_sarif_names_files_relative_to_the_root_and_never_the_root(tmp_path: Path) -> None:
    root = write_case(tmp_path, {"services/ünï x/image.toml": SERVICE})
    document = sarif_document(check(root), root)
    check_sarif(document)
    (result,) = document["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place["uri"] == "services/%C3%BCn%C3%AF%20x/image.toml"
    assert str(tmp_path) not in str(document)


def test_errors_fail_and_warnings_fail_when_strict(tmp_path: Path) -> None:
    root = write_case(tmp_path, {"base/old/image.toml": 'from = "core"\n'})
    assert run(root).return_value == 0
    assert run(root, "--strict").return_value == 1
    assert run(write_case(tmp_path, AGAIN)).return_value == 1


def test_text_names_the_place_the_severity_the_image_and_the_rule(tmp_path: Path) -> None:
    out = run(write_case(tmp_path, AGAIN)).stdout
    assert out.startswith("services/api/requirements.txt:2:1: error: api: fastapi is brought by")
    assert "[requirement-in-base]" in out


def test_json_and_sarif_are_printed_whole(tmp_path: Path) -> None:
    write_case(tmp_path, AGAIN)
    document = json.loads(run(tmp_path, "--format", "json").stdout)
    (finding,) = document["findings"]
    assert document["schema"] == "orch.check/1"
    assert (finding["line"], finding["column"], finding["end_column"]) == (2, 1, 8)
    check_sarif(json.loads(run(tmp_path, "--format", "sarif").stdout))


def test_rules_are_listed_and_explained_without_a_workspace(tmp_path: Path) -> None:
    listed = run(tmp_path, "--list-rules").stdout
    assert all(one.id in listed for one in RULES)
    assert run(tmp_path, "--explain", "unused-base").stdout.startswith("# unused-base\n")


def test_an_unknown_rule_names_the_nearest(tmp_path: Path) -> None:
    done = run(write_case(tmp_path, {}), "--rule", "unused-bas")
    assert isinstance(done.exception, WorkspaceError)
    assert "unused-base" in done.exception.hint


def test_changed_selects_what_is_not_built(tmp_path: Path, orch_cache: Path) -> None:
    root = write_case(tmp_path, {API: SERVICE.replace("1000", "0")}, {})
    assert "1 error in 2 images" in run(root, "--changed", "--rule", "runs-as-root").stderr
