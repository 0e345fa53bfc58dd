"""`orch check` around the rules: what is put up with, put right, brought along, and broken."""

from __future__ import annotations

import json
import re
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.checks import registry
from orchestrator.checks.finding import Edit, Finding, Region, Severity
from orchestrator.checks.fixing import apply_edits, plan_fixes, write_fixes
from orchestrator.checks.reading import read_subject
from orchestrator.checks.registry import RuleError, read_rules
from orchestrator.checks.rule import NotRunError, rule
from orchestrator.checks.rules import RULES
from orchestrator.checks.run import UNUSED, Checked, run_rules
from orchestrator.checks.sources import Sources
from orchestrator.checks.subject import Subject
from orchestrator.checks.suppression import Suppression
from orchestrator.cli import orch
from orchestrator.errors import OrchError, WorkspaceError
from orchestrator.report.sarif import sarif_document
from orchestrator.select import Selection
from orchestrator.settings import read_settings
from tests.helpers import write_tree
from tests.rule_cases import (
    API,
    ASKS,
    BASE_ASKS,
    SERVICE,
    SETTINGS,
    TODAY,
    check,
    write_case,
)
from tests.sarif import check_sarif

ROOT = Path(__file__).parents[2]
AGAIN = {BASE_ASKS: "fastapi\n", ASKS: "flask\nfastapi  # web\n"}
EXCEPTION = "[[checks.exceptions]]\nrule = 'requirement-in-base'\nreason = 'r'\n"


def ids(checked: Checked) -> list[str]:
    return [finding.rule for finding in checked.findings]


def run(root: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(orch, ["-C", str(root), "check", *arguments], standalone_mode=False)
    if result.exception and not isinstance(result.exception, OrchError):
        raise result.exception
    return result


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


def test_a_fix_takes_the_line_out_and_keeps_all_else(tmp_path: Path) -> None:
    root = write_case(tmp_path, {BASE_ASKS: "fastapi\n"})
    file = root / ASKS
    file.write_bytes(b"# ours\r\nfastapi \\\r\n  >=0.1\r\nflask  # last")
    file.chmod(0o640)
    done = run(root, "--fix")
    assert done.return_value == 0
    assert file.read_bytes() == b"# ours\r\nflask  # last"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert "fixed services/api/requirements.txt:2:1" in done.stderr


def test_a_dry_run_shows_a_diff_and_writes_nothing(tmp_path: Path) -> None:
    root = write_case(tmp_path, AGAIN)
    done = run(root, "--fix", "--dry-run")
    assert "-fastapi  # web\n" in done.stdout
    assert "+++ b/services/api/requirements.txt" in done.stdout
    assert (root / ASKS).read_text() == AGAIN[ASKS]


def test_a_line_that_another_image_reads_too_is_not_taken_out(tmp_path: Path) -> None:
    shared = {
        **AGAIN,
        "services/api/common.txt": "fastapi\n",
        ASKS: "-r common.txt\n",
        "services/web/image.toml": SERVICE,
    }
    (finding,) = [item for item in check(write_case(tmp_path, shared)).findings if item.image]
    assert finding.file == "services/api/common.txt"
    assert not finding.fix


def test_a_line_of_its_own_that_another_image_includes_is_not_taken_out(tmp_path: Path) -> None:
    shared = {
        "services/web/requirements.txt": "-r ../api/requirements.txt\n",
        "services/web/image.toml": SERVICE,
    }
    findings = check(write_case(tmp_path, {**AGAIN, **shared})).findings
    assert {finding.file for finding in findings} == {ASKS}
    assert not any(finding.fix for finding in findings)


def test_two_equal_lines_below_a_base_are_both_taken_out(tmp_path: Path) -> None:
    root = write_case(tmp_path, {BASE_ASKS: "fastapi\n", ASKS: "fastapi\nfastapi\nflask\n"})
    assert run(root, "--fix").return_value == 0
    assert (root / ASKS).read_text() == "flask\n"


def edit(file: str, line: int = 1, end: int = 1) -> Finding:
    return Finding("x", Severity.NOTE, "m", fix=(Edit(file, line, end),))


@pytest.mark.parametrize(
    ("edits", "left"),
    [
        ([(4, 4), (2, 2)], "1\n3\n"),
        ([(2, 2), (3, 3)], "1\n4\n"),
        ([(2, 3), (3, 4)], "1\n4\n"),
        ([(3, 4), (2, 3)], "1\n2\n"),
        ([(1, 4), (2, 3)], ""),
    ],
)
def test_of_edits_that_overlap_the_first_alone_is_made(
    tmp_path: Path, edits: list[tuple[int, int]], left: str
) -> None:
    write_tree(tmp_path, {"a": "1\n2\n3\n4\n", "b": "1\n"})
    (fixed,) = plan_fixes(tmp_path, [edit("a", *lines) for lines in edits])
    assert fixed.after == left
    both = plan_fixes(tmp_path, [edit("a"), edit("b")])
    assert [fixed.file for fixed in both] == ["a", "b"]


def test_a_link_and_what_lies_outside_are_not_edited(tmp_path: Path) -> None:
    root = tmp_path / "ws"
    write_tree(tmp_path, {"outside.txt": "a\n", "ws/inside.txt": "a\n"})
    (root / "out").symlink_to(tmp_path / "outside.txt")
    (root / "in").symlink_to("inside.txt")
    (root / "folder").symlink_to(tmp_path)
    for file in ("out", "in", "folder/outside.txt", "../outside.txt"):
        with pytest.raises(WorkspaceError, match="is not edited"):
            plan_fixes(root, [edit(file)])


def test_a_file_that_changed_meanwhile_is_not_written(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a": "1\n2\n"})
    fixes = plan_fixes(tmp_path, [edit("a")])
    write_tree(tmp_path, {"a": "3\n"})
    with pytest.raises(WorkspaceError, match="has changed meanwhile"):
        write_fixes(tmp_path, fixes)
    assert (tmp_path / "a").read_text() == "3\n"


def test_edits_replace_whole_lines_from_the_last_on() -> None:
    edits = [Edit("f", 1, 1, "one\nmore"), Edit("f", 3, 4)]
    assert apply_edits("1\n2\n3\n4\n5", edits) == "one\nmore\n2\n5"


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


ACME = '''
from orchestrator.checks.finding import Severity
from orchestrator.checks.rule import rule

@rule("acme-boom", Severity.ERROR)
def boom(_):
    """A rule that fails."""
    raise KeyError("oh")
'''


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, module: str, value: str) -> None:
    """Put a distribution `acme-rules` on the path, whose entry point is a value of a module."""
    name = f"acme_{folder.name}"  # modules stay imported
    info = f"{folder.name}.dist-info"
    files = {f"{name}.py": module, f"{info}/METADATA": "Name: acme-rules\nVersion: 1.0\n"}
    files[f"{info}/entry_points.txt"] = f"[{registry.ENTRY_POINTS}]\nacme = {name}:{value}\n"
    write_tree(folder / "site", files)
    monkeypatch.syspath_prepend(folder / "site")


@pytest.mark.parametrize(
    ("module", "value", "said"),
    [
        ("import nothing_like_it", "RULES", "acme-rules: the entry point acme fails: ModuleNotF"),
        ("RULES = 1", "RULES", "acme-rules: the entry point acme is no rule"),
        (
            "from orchestrator.checks.rules import RULES",
            "RULES",
            "acme-rules brings a rule invalid-file, and there is one already",
        ),
    ],
)
def test_an_entry_point_that_is_no_rule_names_its_distribution(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str, value: str, said: str
) -> None:
    install(monkeypatch, tmp_path, module, value)
    with pytest.raises(RuleError, match=said):
        read_rules()


def test_a_rule_of_a_package_that_raises_names_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path, ACME, "boom")
    root = write_case(tmp_path / "ws", {})
    done = run(root)
    assert isinstance(done.exception, RuleError)
    assert "acme-rules: rule acme-boom fails: KeyError" in str(done.exception)
    assert run(root, "--rule", "unused-base").return_value == 0


def blocks(language: str) -> list[str]:
    text = (ROOT / "docs/explanation/own-rules.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_example_of_the_documentation_is_found_explained_and_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (project,), (module,) = blocks("toml"), blocks("python")
    assert tomllib.loads(project)["project"]["entry-points"][registry.ENTRY_POINTS] == {
        "acme": "acme_rules:RULES"
    }
    install(monkeypatch, tmp_path, module, "RULES")
    root = write_case(tmp_path / "ws", {})
    assert "acme-owner" in run(root, "--list-rules").stdout
    assert "At night somebody has to be called." in run(root, "--explain", "acme-owner").stdout
    assert run(root).stdout.startswith(f"{API}: warning: api: it has no label com.acme.owner")
    write_tree(root, {API: f'{SERVICE}[config.labels]\n"com.acme.owner" = "web"\n'})
    assert not run(root).stdout


def test_files_outside_large_files_and_bytes_have_no_text(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "ws", {"a.txt": "a", "big": "x" * 5_000_000})
    (tmp_path / "out").write_text("secret")
    (root / "bytes").write_bytes(b"\xff")
    (root / "link").symlink_to("../out")
    sources = Sources(root)
    assert sources.text("a.txt") == "a"
    for path in ("big", "bytes", "link", "../out", "missing", "."):
        assert sources.text(path) is None
    assert sources.read == ("a.txt",)


def test_a_file_is_read_once(tmp_path: Path) -> None:
    sources = Sources(write_tree(tmp_path, {"a": "1"}))
    assert sources.text("a") == "1"
    (tmp_path / "a").unlink()
    assert sources.text("./a") == "1"


def test_folders_of_tools_and_hidden_ones_are_not_walked(tmp_path: Path) -> None:
    names = ("a.yaml", "x/b.yaml", ".git/c.yaml", "node_modules/d.yaml", "x/e.txt")
    sources = Sources(write_tree(tmp_path, dict.fromkeys(names, "")))
    assert list(sources.paths(".yaml", ".yml")) == ["a.yaml", "x/b.yaml"]
