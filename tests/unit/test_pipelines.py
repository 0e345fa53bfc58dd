"""The written pipelines: valid, pinned, minimal in rights, stable."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from orchestrator.app.opened import open_workspace
from orchestrator.app.pipeline_files import compare_files, facts_of
from orchestrator.errors import OrchError
from orchestrator.pipelines.actions import PINNED
from orchestrator.pipelines.batches import Bounds, Work, spread
from orchestrator.pipelines.rendering import github_files, gitlab_child, gitlab_files
from tests.helpers import write_tree
from tests.schemas import schema_of
from tests.verbs import Orch, orch_in

ROOT = Path(__file__).parents[2]
ACTIONLINT = Path(sys.executable).with_name("actionlint")
WORKFLOWS = schema_of("automating-your-workflow-with-github-actions/workflow-syntax")
GITLAB = schema_of('"$id": "https://gitlab.com/.gitlab-ci.yml"')
ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/voice"
ROLE = "arn:aws:iam::123456789012:role"
INSTALL = 'install = ["pip install -r ci.txt"]\n'
VARIANTS = {
    "alone": ("", ""),
    "secrets": ('registry = "registry.example.com/voice"\n', 'login = ["USER", "PASSWORD"]\n'),
    "own registry": ('registry = "ghcr.io/voice"\n', "jobs = 3\n"),
    "gitlab's registry": ('registry = "registry.gitlab.com/voice"\n', "jobs = 3\n"),
    "amazon": (
        (
            f'registry = "{ECR}"\ndeployments = ["deploy/*.yaml"]\ntags = ["{{version}}"]\n'
            'platforms = ["linux/amd64", "linux/arm64"]\n'
        ),
        (
            f'jobs = 9\npush-role = "{ROLE}/push"\npull-role = "{ROLE}/pull"\n'
            'container = "python:3.12-bookworm"\n'
        ),
    ),
}
"""Settings of workspaces that want something else of their pipelines each."""


@pytest.fixture
def orch(tmp_path: Path, orch_cache: Path, capsys: pytest.CaptureFixture[str]) -> Orch:
    return orch_in(tmp_path, capsys)


def workspace(root: Path, variant: str, *, more: str = "") -> Path:
    settings, ci = VARIANTS[variant]
    return write_tree(
        root,
        {
            "orch.toml": f"{settings}[debian]\nessential = []\n[ci]\n{INSTALL}{ci}{more}",
            "orch.lock": "",
            "base/a/image.toml": 'from = "debian:bookworm"\n',
            "base/b/image.toml": 'from = "a"\n',
            "services/c/Dockerfile": "FROM b\n",
        },
    )


def github(root: Path) -> Mapping[str, str]:
    return github_files(facts_of(open_workspace(root), "github"))


def load(text: str) -> dict[str, Any]:
    document: dict[str, Any] = YAML(typ="safe").load(text)
    return document


def jobs(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for text in github(root).values():
        yield from load(text)["jobs"].items()


@pytest.mark.parametrize("variant", VARIANTS)
def test_workflows_are_valid_by_the_schema_and_by_actionlint(tmp_path: Path, variant: str) -> None:
    root = workspace(tmp_path, variant)
    write_tree(root, github(root))
    files = sorted((root / ".github/workflows").iterdir())
    done = subprocess.run(
        [ACTIONLINT, "-shellcheck=", "-pyflakes=", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    known = workspace(tmp_path, variant, more='runner = "ubuntu-22.04"\n')  # the schema is older
    for name, text in github(known).items():
        found = jsonschema.Draft7Validator(WORKFLOWS).iter_errors(load(text))
        assert not [error.message for error in found], name


def test_actionlint_finds_what_is_wrong(tmp_path: Path) -> None:
    root = workspace(tmp_path, "own registry")
    text = github(root)[".github/workflows/orch-main.yml"]
    write_tree(root, {"bad.yml": text.replace("needs: plan", "needs: plam", 1)})
    done = subprocess.run(
        [ACTIONLINT, root / "bad.yml"], capture_output=True, text=True, check=False
    )
    assert "plam" in done.stdout


@pytest.mark.parametrize("variant", VARIANTS)
def test_pipelines_of_gitlab_are_valid_by_the_schema(tmp_path: Path, variant: str) -> None:
    root = workspace(tmp_path, variant)
    facts = facts_of(open_workspace(root), "gitlab")
    batches = spread([Work("a"), Work("b", ("a",))], Bounds(facts.ci.jobs, 256, 49))
    texts = [*gitlab_files(facts).values(), gitlab_child(facts, batches), gitlab_child(facts, ())]
    for text in texts:
        found = jsonschema.Draft7Validator(GITLAB).iter_errors(load(text))
        assert not [error.message for error in found]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it(
    tmp_path: Path, variant: str
) -> None:
    used = set()
    for text in github(workspace(tmp_path, variant)).values():
        for line in re.findall(r"uses: (.*)", text):
            found = re.fullmatch(r"([\w-]+/[\w-]+)[\w/-]*@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
            assert found, line
            used.add(found[1])
    assert used <= set(PINNED)


def test_pins_of_the_settings_go_before_those_known(tmp_path: Path) -> None:
    pin = f"{'ab' * 20} v9.9.9"
    more = f'[ci.actions]\n"actions/cache" = "{pin}"\n"actions/checkout" = "v9"\n'
    text = github(workspace(tmp_path, "alone", more=more))[".github/workflows/orch-main.yml"]
    assert f"uses: actions/cache@{'ab' * 20} # v9.9.9\n" in text
    assert "uses: actions/checkout@v9\n" in text
    assert "cdf6c1fa" not in text


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_value_from_outside_is_part_of_a_script(tmp_path: Path, variant: str) -> None:
    scripts = [
        step["run"]
        for _, job in jobs(workspace(tmp_path, variant))
        for step in job["steps"]
        if "run" in step
    ]
    assert scripts
    assert not [script for script in scripts if "${{" in script]


def test_rights_are_what_a_job_needs(tmp_path: Path) -> None:
    root = workspace(tmp_path, "amazon")
    texts = github(root)
    assert all(load(text)["permissions"] == {} for text in texts.values())
    pull = load(texts[".github/workflows/orch-pull-request.yml"])["jobs"]["images"]
    assert pull["permissions"] == {"contents": "read", "id-token": "write"}
    assert f"{ROLE}/push" not in texts[".github/workflows/orch-pull-request.yml"]
    nightly = load(texts[".github/workflows/orch-nightly.yml"])["jobs"]
    findings = {name for name, job in nightly.items() if "security-events" in job["permissions"]}
    assert findings == {"rebuild", "findings"}
    alone = dict(jobs(workspace(tmp_path, "alone")))
    assert alone["images"]["permissions"] == {"contents": "read"}
    own = load(github(workspace(tmp_path, "own registry"))[".github/workflows/orch-main.yml"])
    packages = {name: job["permissions"].get("packages") for name, job in own["jobs"].items()}
    assert packages["plan"] == "read"
    assert packages["build-0"] == packages["publish"] == "write"


def test_history_is_fetched_where_it_is_needed(tmp_path: Path) -> None:
    def depth(root: Path, file: str, job: str) -> int:
        steps = load(github(root)[f".github/workflows/orch-{file}.yml"])["jobs"][job]["steps"]
        found: int = steps[0]["with"]["fetch-depth"]
        return found

    plain, versions = workspace(tmp_path / "a", "secrets"), workspace(tmp_path / "b", "amazon")
    assert depth(plain, "pull-request", "images") == 0
    assert depth(plain, "main", "publish") == 1
    assert depth(versions, "main", "publish") == 0, "{version} asks git for its tags"


def test_files_are_written_once_and_the_same_again(tmp_path: Path, orch: Orch) -> None:
    root = workspace(tmp_path, "own registry")
    ran = orch("ci", "github", "--dry-run")
    assert ran.out.count("+name: orch ") == 3
    assert not (root / ".github").exists()
    assert orch("ci", "github", "--check").code == 1
    assert orch("ci", "github").code == 0
    files = {file: file.stat().st_mtime_ns for file in (root / ".github/workflows").iterdir()}
    assert orch("ci", "github").code == 0
    assert files == {file: file.stat().st_mtime_ns for file in files}
    assert orch("ci", "github", "--check").code == 0


def test_a_file_that_was_edited_is_behind_and_is_shown(tmp_path: Path, orch: Orch) -> None:
    root = workspace(tmp_path, "own registry")
    orch("ci", "github")
    file = root / ".github/workflows/orch-main.yml"
    file.write_text(file.read_text().replace("contents: read", "contents: write", 1))
    ran = orch("ci", "github", "--check")
    assert ran.code == 1
    assert "-      contents: write\n+      contents: read\n" in ran.out
    assert "run: orch ci github" in ran.err
    assert "contents: write" in file.read_text()


def test_a_tier_more_makes_the_workflow_behind(tmp_path: Path, orch: Orch) -> None:
    root = workspace(tmp_path, "own registry")
    orch("ci", "github")
    write_tree(root, {"services/d/image.toml": 'from = "c"\n'})
    ran = orch("ci", "github", "--check")
    assert (ran.code, "+  build-3:" in ran.out) == (1, True)


def test_a_file_of_somebody_else_is_not_overwritten(tmp_path: Path, orch: Orch) -> None:
    root = workspace(tmp_path, "own registry")
    write_tree(root, {".gitlab-ci.yml": "mine: {script: [make]}\n"})
    ran = orch("ci", "gitlab")
    assert ran.code == 2
    assert "gitlab-file" in ran.err
    assert (root / ".gitlab-ci.yml").read_text() == "mine: {script: [make]}\n"
    root = workspace(tmp_path, "own registry", more='gitlab-file = ".gitlab/orch.yml"\n')
    assert orch("ci", "gitlab").code == 0
    assert (root / ".gitlab/orch.yml").is_file()


@pytest.mark.parametrize(
    ("ci", "says"),
    [
        ("", "how a runner gets orch"),
        (f"{INSTALL}jobs = 2\n", "hand images on through a registry"),
        (f"{INSTALL}jobs = 257\n", "jobs must be 1 to 256"),
        (f'{INSTALL}schedule = "nightly"\n', "no cron expression"),
        (f'{INSTALL}login = ["ONE"]\n', "one for the password"),
        (f'{INSTALL}login = ["${{{{ x }}}}", "B"]\n', "one for the password"),
        (f'{INSTALL}push-role = "admin"\n', "ARN of a role"),
        (f'{INSTALL}branch = "a b"\n', "no name of a branch"),
        (f'{INSTALL}runner = "x\\n  y"\n', "one word"),
        ('install = ["a\\nb"]\n', "a line each"),
        (f'{INSTALL}gitlab-file = "../x.yml"\n', "a YAML file of the workspace"),
        (f'{INSTALL}[ci.actions]\n"actions/cache" = "main"\n', "is no commit"),
    ],
)
def test_what_the_settings_cannot_mean_is_an_error_with_a_hint(
    tmp_path: Path, ci: str, says: str
) -> None:
    write_tree(tmp_path, {"orch.toml": f"[ci]\n{ci}", "base/a/Dockerfile": "FROM scratch\n"})
    with pytest.raises(OrchError, match=says) as error:
        compare_files(open_workspace(tmp_path), "github", github_files)
    assert error.value.hint


def test_a_workspace_below_the_top_of_its_repository_is_refused(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    root = workspace(tmp_path / "inner", "alone")
    with pytest.raises(OrchError, match="at the root of its repository"):
        github(root)


def test_the_workflows_of_this_repository_are_what_orch_writes() -> None:
    found = compare_files(open_workspace(ROOT), "github", github_files)
    assert not [file.diff() for file in found.changed]
