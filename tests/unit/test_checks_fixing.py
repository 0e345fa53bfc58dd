"""`orch check --fix`: which lines are taken out, and which files are not written."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from orchestrator.checks.finding import Edit, Finding, Severity
from orchestrator.checks.fixing import apply_edits, plan_fixes, write_fixes
from orchestrator.errors import WorkspaceError
from tests.check_runs import AGAIN, run
from tests.helpers import write_tree
from tests.rule_cases import ASKS, BASE_ASKS, SERVICE, check, write_case


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
