"""Requirement files: what is asked for, with the file and line it stands on."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import WorkspaceError
from orchestrator.resolve.python.requirements import read_requirements


def read(tmp_path: Path, text: str, **others: str) -> dict[str, str]:
    """Return requirements by where they stand."""
    for name, content in {"requirements": text, **others}.items():
        file = tmp_path / f"{name.replace('__', '/')}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(content)
    lines = read_requirements(tmp_path / "requirements.txt", tmp_path)
    return {line.where: str(line) for line in lines}


def refusal(tmp_path: Path, text: str, **others: str) -> WorkspaceError:
    with pytest.raises(WorkspaceError) as caught:
        read(tmp_path, text, **others)
    return caught.value


def test_comments_and_empty_lines_are_passed_over(tmp_path: Path) -> None:
    text = "# head\n\na==1 # why\n   \n  b>2\nd #x\n"
    assert read(tmp_path, text) == {
        "requirements.txt:3": "a==1",
        "requirements.txt:5": "b>2",
        "requirements.txt:6": "d",
    }


def test_a_comment_needs_a_space_before_it(tmp_path: Path) -> None:
    error = refusal(tmp_path, "a\nd#x\n")
    assert (error.file, error.line) == ("requirements.txt", 2)


def test_continued_lines_are_one_and_stand_where_they_begin(tmp_path: Path) -> None:
    assert read(tmp_path, "x\na \\\n  >=1, \\\n  <2\nb\n") == {
        "requirements.txt:1": "x",
        "requirements.txt:2": "a<2,>=1",
        "requirements.txt:5": "b",
    }


def test_a_last_line_may_be_continued_into_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "a==1 \\\n") == {"requirements.txt:1": "a==1"}


def test_extras_and_markers_are_kept(tmp_path: Path) -> None:
    text = 'A.b_C[x,y]>=1; python_version >= "3.11"\n'
    (file,) = read_requirements(write(tmp_path, text), tmp_path)
    assert file.name == "a-b-c"
    assert file.requirement.extras == {"x", "y"}
    assert "python_version" in str(file)


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "requirements.txt"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    "option", ["-r more.txt", "--requirement more.txt", "--requirement=more.txt"]
)
def test_included_files_are_read_where_they_stand(tmp_path: Path, option: str) -> None:
    found = read(tmp_path, f"a\n{option}\nb\n", more="x\ny\n")
    assert [*found] == ["requirements.txt:1", "more.txt:1", "more.txt:2", "requirements.txt:3"]


def test_an_include_is_found_beside_the_file_that_includes_it(tmp_path: Path) -> None:
    found = read(tmp_path, "-r sub/one.txt\n", sub__one="-r two.txt\n", sub__two="x\n")
    assert found == {"sub/two.txt:1": "x"}


@pytest.mark.parametrize(
    "name", ["requirements.txt", "./requirements.txt", "sub/../requirements.txt"]
)
def test_a_file_that_includes_itself_is_refused(tmp_path: Path, name: str) -> None:
    error = refusal(tmp_path, f"-r {name}\n", sub__x="")
    assert str(error) == "requirements.txt: includes itself"


def test_files_that_include_each_other_are_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, "-r sub/a.txt\n", sub__a="-r ../requirements.txt\n")
    assert error.message == "includes itself"


def test_a_file_may_be_included_twice(tmp_path: Path) -> None:
    assert read(tmp_path, "-r more.txt\n-r more.txt\n", more="x\n") == {"more.txt:1": "x"}


def test_an_included_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "gone.txt: cannot be read" in str(refusal(tmp_path, "-r gone.txt\n"))


@pytest.mark.parametrize(
    "line", ["--index-url https://x.example.com/", "-f /x", "-e .", "-c c.txt", "--pre"]
)
def test_options_are_refused_with_the_place_for_them(tmp_path: Path, line: str) -> None:
    error = refusal(tmp_path, f"a\n{line}\n")
    assert (error.file, error.line) == ("requirements.txt", 2)
    assert line.split(maxsplit=1)[0] in error.message
    assert "orch.toml" in error.hint


@pytest.mark.parametrize(
    "line", ["a @ https://x.example.com/a-1-py3-none-any.whl", "a @ file:///x/a.whl"]
)
def test_urls_are_refused_with_the_place_for_them(tmp_path: Path, line: str) -> None:
    error = refusal(tmp_path, f"\n\n{line}\n")
    assert (error.file, error.line) == ("requirements.txt", 3)
    assert "find-links" in error.hint


@pytest.mark.parametrize("line", ["a=1", "./folder", "a b", "https://x.example.com/a.whl", "=="])
def test_what_is_no_requirement_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    error = refusal(tmp_path, f"a\n{line}\n")
    assert (error.file, error.line) == ("requirements.txt", 2)
    assert repr(line) in error.message


@pytest.mark.parametrize(
    ("line", "version", "allowed"),
    [("a>=1,<2", "1.5", True), ("a<2", "2.0", False), ("a", "1rc1", True), ("a==1.*", "1.9", True)],
)
def test_a_line_tells_which_versions_it_allows(
    tmp_path: Path, line: str, version: str, *, allowed: bool
) -> None:
    (found,) = read_requirements(write(tmp_path, line), tmp_path)
    assert found.allows(version) is allowed
