"""Texts that are nested without end, or that mean much more than they are long."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.deployments.reading import read_deployment
from orchestrator.discovery.compose import read_builds
from orchestrator.dockerfile.reading import find_uses
from orchestrator.dockerfile.stages import parse_dockerfile
from orchestrator.errors import AssemblyError, LockError, OrchError
from orchestrator.lockfile import parse_lock
from orchestrator.model import Platform
from orchestrator.oci.layout import Layout
from orchestrator.recipe import read_recipe
from orchestrator.settings import read_settings

DEEP = 100_000
AMD64 = Platform("linux", "amd64")
LAUGHS = "".join(
    f"image{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9) if level else 'x'}]\n"
    for level in range(12)
)
"""Aliases of aliases: nine to the eleventh scalars in some lines."""


def use(text: str) -> None:
    find_uses(parse_dockerfile(text, "Dockerfile"), "", {}, AMD64)


def recipe(folder: Path, text: str) -> object:
    (folder / "image.toml").write_text(text)
    return read_recipe(folder / "image.toml")


def settings(folder: Path, text: str) -> object:
    (folder / "orch.toml").write_text(text)
    return read_settings(folder)


@pytest.mark.parametrize("read", [recipe, settings])
@pytest.mark.parametrize("text", [f"a = {'[' * DEEP}", f"a = {'{b=' * DEEP}", f"{'a.' * 900}a = 1"])
def test_toml_that_is_nested_without_end_is_an_error_with_its_file(
    tmp_path: Path, read: Callable[[Path, str], object], text: str
) -> None:
    with pytest.raises(OrchError) as refused:
        read(tmp_path, text)
    assert ".toml" in str(refused.value)


def test_a_lock_that_is_nested_without_end_is_an_error_with_the_way_out() -> None:
    with pytest.raises(LockError) as refused:
        parse_lock(f"a = {'[' * DEEP}")
    assert "orch lock" in refused.value.hint


def test_a_layout_that_is_nested_without_end_is_an_error(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    digest = f"sha256:{'a' * 64}"
    layout.blob_path(digest).parent.mkdir(parents=True)
    layout.blob_path(digest).write_text("[" * DEEP)
    (tmp_path / "index.json").write_text('{"a":' * DEEP)
    assert layout.names() == {}
    with pytest.raises(AssemblyError, match="has no readable"):
        layout.read_image(digest)


@pytest.mark.parametrize("text", [f"image: {'[' * 400}", f"image: {'{a: ' * 400}", "- " * 900])
def test_yaml_that_is_nested_without_end_is_left_out(tmp_path: Path, text: str) -> None:
    assert read_deployment("deploy/app.yaml", text).uses == ()
    (tmp_path / "compose.yaml").write_text(text)
    assert read_builds(tmp_path, "compose.yaml") == ()


def test_aliases_of_aliases_are_not_written_out(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(f"{LAUGHS}services: {{a: {{build: *a11}}}}\n")
    tracemalloc.start()
    try:
        read_deployment("chart/values.yaml", LAUGHS)
        assert read_builds(tmp_path, "compose.yaml") == ()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 64 << 20


@pytest.mark.parametrize(
    "text",
    [
        f"FROM {'${A:-' * DEEP}",
        "FROM " + '"$' * DEEP,
        "ARG A=" + "${A}" * 1000 + "\nFROM $A",
    ],
    ids=["braces", "quotes", "an argument of itself"],
)
def test_variables_without_end_in_a_dockerfile_are_an_error_with_a_line(text: str) -> None:
    with pytest.raises(OrchError) as refused:
        use(text)
    assert "Dockerfile" in str(refused.value)
    assert refused.value.hint


def test_arguments_that_double_each_other_do_not_fill_the_memory() -> None:
    lines = ["ARG A0=" + "x" * 64, *(f"ARG A{n}=$A{n - 1}$A{n - 1}" for n in range(1, 40))]
    tracemalloc.start()
    try:
        with pytest.raises(OrchError):
            use("\n".join([*lines, "FROM $A39"]))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 256 << 20
