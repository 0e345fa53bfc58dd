"""Layers of an image in an engine get their sizes from its history."""

from __future__ import annotations

import pytest

from orchestrator.engines.docker.history import layers_of


def history(*rows: tuple[str, int]) -> list[dict[str, object]]:
    """Return rows as the engine's API gives them: the newest first."""
    return [{"CreatedBy": what, "Size": size} for what, size in reversed(rows)]


def sizes(count: int, *rows: tuple[str, int]) -> list[int]:
    layers = layers_of([f"sha256:{number}" for number in range(count)], history(*rows))
    assert [layer.diff_id for layer in layers] == [f"sha256:{number}" for number in range(count)]
    assert all(layer.size_bytes == layer.unpacked_bytes for layer in layers)
    return [layer.size_bytes for layer in layers]


def test_each_layer_has_the_size_and_the_instruction_that_its_history_names() -> None:
    rows = history(("orch: files", 7), ("ENV A=b", 0), ("RUN /bin/sh -c true # buildkit", 0))
    below, above = layers_of(["sha256:a", "sha256:b"], rows)
    assert (below.digest, below.unpacked_bytes, below.what) == ("sha256:a", 7, "files")
    assert (above.digest, above.unpacked_bytes, above.what) == ("sha256:b", 0, rows[0]["CreatedBy"])


@pytest.mark.parametrize(
    "what",
    [
        "ENV A=b",
        "CMD [x]",
        "HEALTHCHECK &{}",
        "WORKDIR /",
        '/bin/sh -c #(nop)  CMD ["bash"]',
    ],
)
def test_what_makes_no_layer_is_passed_over(what: str) -> None:
    assert sizes(2, ("COPY a /a # buildkit", 3), (what, 0), ("RUN x", 4)) == [3, 4]


@pytest.mark.parametrize(
    "what",
    ["COPY empty /e # buildkit", "WORKDIR /w", "/bin/sh -c #(nop) ADD file:1 in /", "ENVIRON x"],
)
def test_a_layer_without_files_keeps_its_place(what: str) -> None:
    assert sizes(3, ("COPY a /a", 3), (what, 0), ("RUN x", 4)) == [3, 0, 4]


@pytest.mark.parametrize("rows", [[], [("COPY a /a", 3)], [("a", 1), ("b", 2), ("c", 3)]])
def test_where_history_and_layers_differ_no_size_is_guessed(rows: list[tuple[str, int]]) -> None:
    assert sizes(2, *rows) == [0, 0]
