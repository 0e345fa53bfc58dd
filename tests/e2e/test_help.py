"""What a user needs to use a verb is in its `--help`; the Tab key knows the images."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from orchestrator.cli import orch
from orchestrator.cli.completion import SHELLS
from tests.e2e.monorepo import ORCH
from tests.helpers import write_workspace
from tests.pages import verbs

IMAGES = {"base/python-base": 'from = "debian:bookworm"', "services/api": 'from = "python-base"'}


def examples(verb: str) -> list[str]:
    """Return the command lines below `Examples:` of a verb's help, as they are typed."""
    done = CliRunner().invoke(orch, [*verb.split(), "--help"])
    assert done.exit_code == 0, done.output
    _, found, below = done.output.partition("\n  Examples:\n")
    assert found, f"orch {verb} --help has no examples"
    lines = below.partition("\n\n")[0].splitlines()
    typed = [line.strip() for line in lines if not line.startswith(" " * 10)]  # what is said of it
    return [re.split(r"\s{2,}|\s(?:>|\||&&)\s", line)[0] for line in typed]


@pytest.mark.parametrize("verb", ["", *verbs()])
def test_every_help_has_examples_that_are_valid_command_lines(verb: str) -> None:
    found = examples(verb)
    assert found
    for line in found:
        program, *words = shlex.split(line)
        if program == "orch":
            parse(orch, words)
    assert any(line.startswith("orch") for line in found)


def parse(command: click.Command, words: list[str]) -> None:
    """Parse a command line down to its last verb; nothing is run."""
    context = command.make_context("orch", words)
    while isinstance(command, click.Group) and (rest := [*context._protected_args, *context.args]):
        inner = command.get_command(context, rest[0])
        assert inner is not None, rest[0]
        command, context = inner, inner.make_context(rest[0], rest[1:], parent=context)


@pytest.mark.parametrize("verb", verbs())
def test_every_option_says_what_it_does(verb: str) -> None:
    silent = [
        option.opts
        for option in verbs()[verb].params
        if isinstance(option, click.Option) and not option.help
    ]
    assert not silent


def offered(root: Path, *words: str) -> list[str]:
    """Return what is offered for the last of the words, as a shell asks for it."""
    env = {
        **os.environ,
        "_ORCH_COMPLETE": "fish_complete",
        "COMP_WORDS": shlex.join(["orch", *words]),
        "COMP_CWORD": words[-1],
        "ORCH_CACHE": str(root / "cache"),
    }
    done = subprocess.run([ORCH], env=env, cwd=root, capture_output=True, text=True, check=True)
    rows = [line.partition(",")[2] for line in done.stdout.splitlines() if line]
    return [row.partition("\t")[0] for row in rows]


def test_names_of_images_and_verbs_are_offered(tmp_path: Path) -> None:
    root = write_workspace(tmp_path / "ws", IMAGES)
    assert offered(root, "bui") == ["build"]
    assert offered(root, "build", "py") == ["python-base"]
    assert offered(root, "explain", "a") == ["api"]
    assert offered(tmp_path, "-C", str(root), "push", "") == ["python-base", "api"]
    assert "--with-dependents" in offered(root, "build", "--w")


@pytest.mark.parametrize("recipe", [None, "from = 'nothing"])
def test_where_no_workspace_can_be_read_nothing_is_offered(
    tmp_path: Path, recipe: str | None
) -> None:
    if recipe is not None:
        write_workspace(tmp_path, {"base/a": recipe})
    assert offered(tmp_path, "build", "") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_reads_its_script(tmp_path: Path, shell: str) -> None:
    done = subprocess.run([ORCH, "completion", shell], capture_output=True, text=True, check=True)
    assert "_ORCH_COMPLETE=" in done.stdout
    if shutil.which(shell):  # bash is on every machine that runs the tests
        script = tmp_path / "script"
        script.write_text(done.stdout)
        subprocess.run([shell, "-n", str(script)], check=True)


def test_bash_completes_an_image_with_the_script(tmp_path: Path) -> None:
    root = write_workspace(tmp_path / "ws", IMAGES)
    ask = (
        f'eval "$({shlex.quote(str(ORCH))} completion bash)"; '
        'COMP_WORDS=(orch build py); COMP_CWORD=2; _orch_completion orch; echo "${COMPREPLY[@]}"'
    )
    path = f"{ORCH.parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "ORCH_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        ["bash", "-c", ask], cwd=root, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["python-base"]
