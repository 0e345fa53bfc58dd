"""Whatever stands in a recipe: it is read, or refused as a user's error."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import WorkspaceError
from orchestrator.model import Recipe
from orchestrator.positions import line_of
from orchestrator.recipe import read_recipe
from orchestrator.settings import read_settings

KEYS = st.sampled_from(
    [
        *("from", "summary", "deprecated", "system", "python", "files", "fetch", "config"),
        *("healthcheck", "gates", "packages", "requirements", "bytecode", "prefer", "to", "mode"),
        *("owner", "exclude", "url", "sha256", "user", "workdir", "env", "labels", "expose"),
        *("volumes", "entrypoint", "command", "stop-signal", "http", "interval", "timeout"),
        *("start-period", "retries", "max-size", "max-growth", "start-within", "read-only"),
        *("severity", "bases", "platforms", "debian", "version", "venv", "suite", "x"),
    ]
)
STRINGS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(["/app", "30s", "10%", "1 MB", "0755", "linux/amd64", "a" * 64, "../x"]),
)
SCALARS = st.one_of(STRINGS, st.booleans(), st.integers(-(2**40), 2**40), st.floats())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


def toml_of(values: dict[str, Any]) -> str:
    return "\n".join(f"{key} = {_inline(value)}" for key, value in values.items())


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


@contextmanager
def file_with(text: str, name: str = "image.toml") -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_text(text, "utf-8")
        yield file


def refused_or_read(text: str) -> Recipe | WorkspaceError:
    with file_with(text) as file:
        try:
            return read_recipe(file)
        except WorkspaceError as error:
            return error


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_read_or_refused(text: str) -> None:
    refused_or_read(text)


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_values_are_read_or_refused_with_the_file(values: dict[str, Any]) -> None:
    found = refused_or_read(toml_of({"from": "a"} | values))
    assert isinstance(found, Recipe) or found.file.endswith("image.toml")


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_settings_are_read_or_refused(values: dict[str, Any]) -> None:
    with file_with(toml_of(values), "orch.toml") as file, contextlib.suppress(WorkspaceError):
        read_settings(file.parent)


@given(st.text(), st.lists(st.text(), min_size=1, max_size=3))
def test_the_line_of_a_key_is_none_or_a_line(text: str, path: list[str]) -> None:
    line = line_of(text, tuple(path))
    assert line is None or 1 <= line <= len(text.splitlines())


@given(
    st.lists(st.sampled_from("abcdef"), min_size=1, unique=True),
    st.lists(st.sampled_from(["", "# a = 1", "  # [a]"]), max_size=3),
)
def test_the_line_of_a_plain_key_is_the_one_that_gives_it(
    keys: list[str], between: list[str]
) -> None:
    lines = [line for key in keys for line in (*between, f"{key} = 1")]
    for key in keys:
        found = line_of("\n".join(lines), (key,))
        assert found is not None
        assert lines[found - 1] == f"{key} = 1"
