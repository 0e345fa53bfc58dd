"""The real hadolint, as its wheel ships it, over Dockerfiles of a workspace."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrator.app.checking import check
from orchestrator.checks.finding import Severity
from orchestrator.checks.hadolint import find_hadolint
from orchestrator.report.sarif import sarif_document
from orchestrator.select import Selection
from tests.rules import findings, marked
from tests.sarif import check_sarif

DOCKERFILE = """\
FROM debian:bookworm-slim AS build
RUN apt-get update \\
 && apt-get install -y curl \\
 && echo $HOME && rm -rf /var/lib/apt/lists/*
WORKDIR relative
"""


def found(root: Path, text: str, settings: str = "", rule: str = "hadolint") -> list[str]:
    """Return the ids of what hadolint finds in a service's Dockerfile."""
    files = {"services/api/Dockerfile": text}
    if settings:
        files[".hadolint.yaml"] = settings
    (root / "orch.toml").write_text("", "utf-8")
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, "utf-8")
    return [one.rule for one in check(root, Selection(), [rule]).findings]


def test_the_one_that_the_wheel_installs_is_found() -> None:
    assert find_hadolint() == Path(sys.executable).with_name("hadolint")


def test_findings_keep_their_ids_their_severities_and_their_lines(tmp_path: Path) -> None:
    assert found(tmp_path, DOCKERFILE) == ["DL3008", "DL3015", "SC2086", "DL3000"]
    kept = {one.rule: one for one in check(tmp_path, Selection(), ["hadolint"]).findings}
    assert kept["DL3000"].severity is Severity.ERROR
    assert kept["DL3008"].severity is Severity.WARNING
    assert kept["SC2086"].severity is Severity.NOTE
    assert marked(tmp_path, kept["DL3000"]) == "WORKDIR relative"
    assert {one.image for one in kept.values()} == {"api"}
    assert kept["SC2086"].uri.endswith("/SC2086")


def test_what_it_finds_is_valid_sarif(tmp_path: Path) -> None:
    found(tmp_path, DOCKERFILE)
    document = sarif_document(check(tmp_path, Selection(), ["hadolint"]), tmp_path)
    check_sarif(document)
    results = document["runs"][0]["results"]
    assert [row["ruleId"] for row in results] == ["DL3008", "DL3015", "SC2086", "DL3000"]
    places = [row["locations"][0]["physicalLocation"] for row in results]
    assert {place["artifactLocation"]["uri"] for place in places} == {"services/api/Dockerfile"}
    assert [place["region"]["startLine"] for place in places] == [2, 2, 2, 5]


def test_a_file_that_it_crashes_on_keeps_it_from_no_other(tmp_path: Path) -> None:
    (tmp_path / "services/web").mkdir(parents=True)
    (tmp_path / "services/web/Dockerfile").write_text("FROM debian:12\nWORKDIR x\n", "utf-8")
    assert found(tmp_path, DOCKERFILE) == ["DL3008", "DL3015", "SC2086", "DL3000", "hadolint"]


def test_what_it_cannot_parse_though_buildkit_can_is_a_warning(tmp_path: Path) -> None:
    text = "FROM debian:12\nCOPY <<A <<B /d/\na\nA\nb\nB\nUSER 1\n"
    assert found(tmp_path, text) == ["DL1000"]
    (finding,) = check(tmp_path, Selection(), ["hadolint"]).findings
    assert finding.severity is Severity.WARNING
    assert "hadolint stops reading here" in finding.message


def test_images_and_contexts_of_the_workspace_may_be_copied_from(tmp_path: Path) -> None:
    (tmp_path / "base/tool").mkdir(parents=True)
    (tmp_path / "base/tool/Dockerfile").write_text("FROM scratch\n", "utf-8")
    text = "FROM debian:12\nCOPY --from=tool /a /a\n"
    assert found(tmp_path, text) == []
    assert found(tmp_path, f"{text}COPY --from=too /b /b\n") == ["DL3022"]


def test_one_of_its_ids_can_be_asked_for(tmp_path: Path) -> None:
    assert found(tmp_path, DOCKERFILE, rule="DL3008") == ["DL3008"]


def test_what_our_rules_find_is_said_once(tmp_path: Path) -> None:
    text = "FROM debian\nRUN apt-get update && pip install flask==3.0\nUSER 0\n"
    assert found(tmp_path, text) == []
    everything = check(tmp_path, Selection()).findings
    said = [one.rule for one in everything if one.file.endswith("Dockerfile")]
    assert sorted(said) == [
        "base-not-pinned",
        "cache-in-image",
        "cache-in-image",
        "latest-in-from",
        "no-healthcheck",
        "runs-as-root",
    ]


def test_its_own_comments_and_settings_hold(tmp_path: Path) -> None:
    text = DOCKERFILE.replace("RUN apt", "# hadolint ignore=DL3008,SC2086\nRUN apt")
    assert found(tmp_path, text) == ["DL3015", "DL3000"]
    assert found(tmp_path, text, "ignored: [DL3015]\n") == ["DL3000"]


def test_our_suppressions_hold_for_its_findings(tmp_path: Path) -> None:
    text = DOCKERFILE.replace("WORKDIR", "# orch: ignore[DL3000] it is as it is\nWORKDIR")
    assert found(tmp_path, text) == ["DL3008", "DL3015", "SC2086"]


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_letters_beyond_ascii_are_read_in_any_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locale: str
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    assert found(tmp_path, f"# größer\n{DOCKERFILE}")[-1] == "DL3000"


def test_constraints_make_pins_in_dockerfiles_needless(tmp_path: Path) -> None:
    text = "FROM debian:12\nRUN pip install --no-cache-dir flask\n"
    assert found(tmp_path, text) == ["DL3013"]
    (tmp_path / "constraints.txt").write_text("flask==3.1.0\n", "utf-8")
    assert found(tmp_path, text) == []


def test_recipes_alone_do_not_start_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.checks.hadolint.subprocess.run", None)
    recipe = 'from = "debian:bookworm"\n'
    assert not findings(tmp_path, {"services/api/image.toml": recipe}, "hadolint")
