"""Every code block of the documentation is what it claims to be, runs, or says why it does not."""

from __future__ import annotations

import ast
import importlib
import json
import os
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from orchestrator.cli import main
from orchestrator.errors import WorkspaceError
from orchestrator.recipe import read_recipe
from orchestrator.settings import take_settings
from orchestrator.tables import Table
from orchestrator.workspace import read_workspace
from tests.codeblocks import CodeBlock, code_blocks, steps_of
from tests.helpers import write_lock, write_tree
from tests.pages import PAGES, ROOT
from tests.registries import TinyRegistry

ASIDE = (ROOT / "docs/adr", ROOT / "docs/reference/rules", ROOT / "docs/reference/from-code")
"""Decisions are of their time; rules have examples that are broken on purpose; help is no code."""

TUTORIAL = ROOT / "docs/tutorial.md"
"""Typed from its first line to its last by a test of its own."""

JUDGES = {"check", "verify", "doctor", "deploy"}
"""Verbs that end with 1 where they find something, as they may in a workspace of a test."""

NO_DOCKER = "no Docker engine answers"
"""Said where a command would go on with Docker, which this test does without."""

TYPED = ("$ ", "make ", "docker ", "git ", "pip ", "skopeo ")
KNOWN = {"", "console", "sh", "text", "toml", "json", "yaml", "python", "dockerfile"}

BLOCKS = [
    block
    for page in PAGES
    if page.parent not in ASIDE and page.name != "CHANGELOG.md"
    for block in code_blocks(page)
]


def named(block: CodeBlock) -> str:
    return f"{block.page.relative_to(ROOT)}:{block.line}"


def of(*languages: str) -> list[CodeBlock]:
    return [block for block in BLOCKS if block.language in languages and not block.not_run]


@pytest.mark.parametrize("block", BLOCKS, ids=named)
def test_a_block_says_what_it_is(block: CodeBlock) -> None:
    assert block.language in KNOWN
    typed = [line for line in block.text.splitlines() if line.startswith(TYPED)]
    assert block.language not in {"", "text"} or not typed, "what is typed is console or sh"


def take_as_settings(text: str, folder: Path) -> None:
    file = folder / "orch.toml"
    file.write_text(text)
    take_settings(Table.read(file), file)


def take_as_recipe(text: str, folder: Path) -> None:
    file = folder / "image.toml"
    file.write_text(text)
    read_recipe(file)


@pytest.mark.parametrize("block", of("toml"), ids=named)
def test_toml_is_taken_as_settings_or_as_a_recipe(block: CodeBlock, tmp_path: Path) -> None:
    if "project" in tomllib.loads(block.text):
        return  # another tool's
    problems = []
    for take in (take_as_settings, take_as_recipe):
        try:
            take(block.text, tmp_path)
        except WorkspaceError as error:
            problems.append(str(error))
    assert len(problems) < 2, problems


@pytest.mark.parametrize("block", of("json", "yaml"), ids=named)
def test_json_and_yaml_are_read(block: CodeBlock) -> None:
    assert json.loads(block.text) if block.language == "json" else YAML().load(block.text)


@pytest.mark.parametrize("block", of("python"), ids=named)
def test_python_is_compiled_and_what_it_imports_of_orch_is_there(block: CodeBlock) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("orchestrator"):
            module = importlib.import_module(str(node.module))
            assert all(hasattr(module, alias.name) for alias in node.names)


SETTINGS = """\
registry = "{address}/team"
platforms = ["linux/amd64", "linux/arm64"]
deployments = ["deploy/*.yaml", "chart/*.yaml"]
[debian]
essential = []
[wheelhouse]
shared = ["../wheels"]
[ci]
install = ["python -m pip install -r requirements-ci.txt"]
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The images of this repository's tree, of files alone: built, committed, and published."""
    home = tmp_path_factory.mktemp("tree")
    root = home / "work"
    for image in read_workspace(ROOT).images.values():
        recipe = f'from = "{image.parent}"\n[[files]]\nfrom = "app"\nto = "/app"\n'
        write_tree(root / image.path, {"image.toml": recipe, "app/app/main.py": image.name})
    files = {
        "base/python-web-docker/Dockerfile": "FROM scratch\n",
        "constraints.txt": "",
        ".gitignore": ".orch/\n",
        "deploy/api.yaml": "",
        "chart/values.yaml": "",
    }
    with TinyRegistry().running() as registry, pytest.MonkeyPatch.context() as patched:
        write_tree(root, {**files, "orch.toml": SETTINGS.format(address=registry.address)})
        write_lock(root)
        for words in ("init -q -b main", "add .", "commit -qm one", "tag v1", "branch release"):
            subprocess.run(["git", *words.split()], cwd=root, check=True)
        move_to(patched, home)
        assert [type_in(f"orch {line}") for line in ("build", "push --tag staging")] == [0, 0]
        yield home


def move_to(patched: pytest.MonkeyPatch, home: Path) -> None:
    """Let commands run in a workspace, with a cache of its own and without an engine."""
    patched.chdir(home / "work")
    patched.setenv("ORCH_CACHE", str(home / "cache"))
    patched.setenv("DOCKER_HOST", f"unix://{home}/no-engine.sock")


@pytest.fixture
def workspace(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the tree for one block."""
    move_to(monkeypatch, shutil.copytree(template, tmp_path / "home"))


def type_in(line: str) -> int:
    """Run a command line: `orch` in this process, which is faster, and anything else in a shell."""
    words = shlex.split(line, comments=True)
    if words[:1] != ["orch"] or set(words) & {"|", "&&", ">", ";"}:
        return subprocess.run(["bash", "-c", line], env=os.environ, check=False).returncode
    with pytest.raises(SystemExit) as ended:
        main(words[1:])
    return int(ended.value.code or 0)


def commands(block: CodeBlock) -> list[str]:
    if block.language == "console":
        return [step.command for step in steps_of(block)]
    lines = [line for line in block.text.splitlines() if line and not line.startswith("#")]
    return [line.removeprefix(".venv/bin/") for line in lines]


@pytest.mark.parametrize(
    "block", [block for block in of("console", "sh") if block.page != TUTORIAL], ids=named
)
def test_what_is_typed_works(
    block: CodeBlock, workspace: None, capfd: pytest.CaptureFixture[str]
) -> None:
    for line in commands(block):
        code, said = type_in(line), capfd.readouterr()
        judged = code == 1 and line.split()[1] in JUDGES
        assert code == 0 or judged or NO_DOCKER in said.err, f"{line}: {code}\n{said.err}"
