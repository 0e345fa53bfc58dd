"""Rules over recipes, requirements, lock and settings: what each finds, and what it lets pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.checks.rule import Rule
from orchestrator.checks.rules import RULES, deployed, dockerfiles, hadolint, probes
from orchestrator.report.sarif import sarif_document
from tests.rule_cases import (
    API,
    BASE,
    BASE_ASKS,
    CASES,
    CUDA,
    KEY,
    SERVICE,
    SOUND,
    Case,
    check,
    write_case,
)
from tests.rule_pages import FOLDER, pages
from tests.sarif import check_sarif

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{case.at}")


def test_nothing_is_found_in_a_sound_workspace(tmp_path: Path) -> None:
    checked = check(write_case(tmp_path, {}, {}))
    assert not checked.findings
    assert checked.images == 2


@each_case
def test_a_rule_finds_what_breaks_it_and_says_where(case: Case, tmp_path: Path) -> None:
    checked = check(write_case(tmp_path, case.breaks, case.adds))
    (found,) = [item for item in checked.findings if item.rule == case.rule]
    assert found.where == case.at
    assert found.message
    assert found.hint


@each_case
def test_a_rule_lets_pass_what_nearly_breaks_it(case: Case, tmp_path: Path) -> None:
    checked = check(write_case(tmp_path, case.passes, case.passing_adds))
    assert not [item for item in checked.findings if item.rule == case.rule]


@each_case
def test_what_a_rule_finds_is_valid_sarif(case: Case, tmp_path: Path) -> None:
    root = write_case(tmp_path, case.breaks, case.adds)
    document = sarif_document(check(root), root)
    check_sarif(document)
    (run,) = document["runs"]
    (result,) = [item for item in run["results"] if item["ruleId"] == case.rule]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == case.rule
    (location,) = result["locations"]
    place = location["physicalLocation"]
    file, line, *_ = case.at.split(":")
    assert place["artifactLocation"] == {"uri": file, "uriBaseId": "SRCROOT"}
    assert place["region"]["startLine"] == int(line)


def test_every_rule_about_recipes_has_a_case() -> None:
    elsewhere = (dockerfiles, hadolint, deployed, probes)
    theirs = {id(one) for module in elsewhere for one in vars(module).values()}
    assert {one.id for one in RULES if id(one) not in theirs} == {case.rule for case in CASES}


def test_each_rule_has_its_page_and_each_page_a_rule() -> None:
    written = {file.name: file.read_text("utf-8") for file in FOLDER.glob("*.md")}
    assert written == pages(), "run: make rule-pages"


@pytest.mark.parametrize("one", RULES, ids=lambda one: one.id)
def test_a_page_tells_the_story_what_to_do_and_gives_an_example(one: Rule) -> None:
    text = pages()[f"{one.id}.md"]
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == ["## What to do", "## Example", "## How to suppress it"]


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    root = write_case(tmp_path, {API: f'{SERVICE}[config.env]\nX = "{KEY}"\n'})
    checked = check(root, "secret-in-config")
    assert checked.findings
    assert KEY not in str(checked)
    assert KEY not in str(sarif_document(checked, root))


def write_value(root: Path, name: str, value: str) -> Path:
    """Write a workspace with a build argument and a label of that name and value."""
    settings = f'{SOUND["orch.toml"]}[buildkit.build-args]\n{name} = "{value}"\n'
    recipe = f'{SERVICE}[config.labels]\n"{name}" = "{value}"\n'
    return write_case(root, {"orch.toml": settings, API: recipe})


@pytest.mark.parametrize(
    ("name", "value"), [("GITHUB_TOKEN", "ghp_" + "a1B2" * 9), ("DB_PASSWORD", "hunter2horse")]
)
def test_secrets_are_found_in_labels_and_build_arguments(
    tmp_path: Path, name: str, value: str
) -> None:
    checked = check(write_value(tmp_path, name, value), "secret-in-config")
    assert {finding.file for finding in checked.findings} == {"orch.toml", API}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "changeme"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("SECRET_KEY_FILE", "/run/secrets/key"),
        ("OPENAI_API_KEY", "<your key>"),
    ],
)
def test_what_stands_for_a_secret_is_none(tmp_path: Path, name: str, value: str) -> None:
    assert not check(write_value(tmp_path, name, value), "secret-in-config").findings


@pytest.mark.parametrize(
    ("asked", "said"), [("torch==2.4.0+cu121", "12.1"), ("cupy-cuda11x", "11")]
)
def test_a_mismatch_says_of_cuda_what_is_known(tmp_path: Path, asked: str, said: str) -> None:
    root = write_case(tmp_path, {BASE: CUDA, BASE_ASKS: f"{asked}\n"})
    (found,) = check(root, "cuda-mismatch").findings
    assert f"for CUDA {said}, and core brings CUDA 12.9" in found.message


def test_where_no_port_is_exposed_any_may_be_asked(tmp_path: Path) -> None:
    silent = SERVICE.replace('expose = ["8000"]\n', "")
    assert not check(write_case(tmp_path, {API: silent}), "health-port").findings
