"""Templates of tags: checked when they are read, expanded when they are used."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import WorkspaceError
from orchestrator.settings import read_settings
from orchestrator.tagging import content_tag, expand_template, is_tag, template_problem


def never() -> str:
    raise AssertionError("nobody asked for this")


def test_placeholders_take_their_values() -> None:
    values = {"date": lambda: "20260102", "commit": lambda: "abc"}
    assert expand_template("nightly-{date}-{commit}", values) == "nightly-20260102-abc"


def test_a_value_that_no_template_wants_is_not_asked_for() -> None:
    assert expand_template("latest", {"version": never, "commit": never}) == "latest"


def test_what_a_tag_may_not_hold_becomes_a_dash() -> None:
    assert expand_template("{version}", {"version": lambda: "1.0+local/2"}) == "1.0-local-2"


def test_a_long_value_is_cut_to_what_a_tag_may_hold() -> None:
    assert is_tag(expand_template("{version}", {"version": lambda: "1" * 300}))


@pytest.mark.parametrize("template", ["latest", "{version}", "v{version}-{date}", "_x", "a.b-c"])
def test_good_templates_have_no_problem(template: str) -> None:
    assert template_problem(template) == ""


@pytest.mark.parametrize("template", ["", "-x", "a b", "a:b", "{version", "x" * 129, "{}"])
def test_bad_templates_have_one(template: str) -> None:
    assert template_problem(template)


def test_the_content_tag_is_a_tag_and_differs_with_the_fingerprint() -> None:
    tag = content_tag("0123456789abcdef" * 4)
    assert tag == "fp-0123456789abcdef0123456789abcdef"
    assert is_tag(tag)


@pytest.mark.parametrize("table", ["", "[image.api]\n"])
def test_an_unknown_placeholder_is_an_error_with_its_line(tmp_path: Path, table: str) -> None:
    file = tmp_path / "orch.toml"
    file.write_text(f'bases = []\n{table}tags = ["ok", "{{verison}}"]\n')
    with pytest.raises(WorkspaceError, match="verison") as raised:
        read_settings(tmp_path)
    assert raised.value.line == 2 + bool(table)
    assert raised.value.file == str(file)
    assert "{version}" in raised.value.hint


def test_a_tag_that_cannot_be_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "orch.toml").write_text('tags = ["not a tag"]\n')
    with pytest.raises(WorkspaceError, match="cannot be a tag"):
        read_settings(tmp_path)
