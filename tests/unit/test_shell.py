"""Commands of a page in one shell: what each said, ended with, and left behind for the next."""

from __future__ import annotations

import os
from pathlib import Path

from tests.codeblocks import Step
from tests.shell import Ran, type_in


def type_all(folder: Path, *commands: str) -> list[Ran]:
    steps = [Step(line, command) for line, command in enumerate(commands, 1)]
    return type_in(steps, folder, {"PATH": os.environ["PATH"]}, 60)


def test_each_command_has_its_own_output_and_exit_code(tmp_path: Path) -> None:
    ran = type_all(tmp_path, "echo out; echo err >&2", "false", "printf unended", "nonsense")
    assert [(one.step.line, one.code) for one in ran] == [(1, 0), (2, 1), (3, 0), (4, 127)]
    assert [one.said for one in ran[:3]] == ["out\nerr\n", "", "unended"]


def test_a_command_finds_the_folder_and_the_variables_of_those_before(tmp_path: Path) -> None:
    ran = type_all(tmp_path, "mkdir a", "cd a", "export X=1", 'echo "$X $PWD"', "cat")
    assert ran[3].said == f"1 {tmp_path}/a\n"
    assert (ran[4].code, ran[4].said) == (0, "")


def test_a_command_of_several_lines_is_one(tmp_path: Path) -> None:
    (ran,) = type_all(tmp_path, "cat > x <<'END'\na $b\nEND\ncat x")
    assert ran.said == "a $b\n"


def test_where_the_shell_ends_there_are_fewer_answers(tmp_path: Path) -> None:
    assert [one.said for one in type_all(tmp_path, "echo 1", "exit 3", "echo 2")] == ["1\n"]
