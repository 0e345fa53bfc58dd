"""Rules that other distributions bring along."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from orchestrator.checks import registry
from orchestrator.checks.registry import RuleError, read_rules
from tests.check_runs import run
from tests.helpers import write_tree
from tests.rule_cases import API, SERVICE, write_case

ROOT = Path(__file__).parents[2]


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
