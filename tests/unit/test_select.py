"""Selecting images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import WorkspaceError
from orchestrator.graph import build_graph
from orchestrator.model import ImageKind, Settings, Workspace
from orchestrator.select import Selection
from tests.helpers import graph_of, image_of

IMAGES = [
    image_of("base"),
    image_of("ml", "base"),
    image_of("ml-torch", "ml"),
    image_of("api", "base", ImageKind.SERVICE),
    image_of("bot", "ml", ImageKind.SERVICE),
]
GRAPH = build_graph(
    Workspace(Path("/ws"), Settings(Path("/ws/orch.toml")), {image.name: image for image in IMAGES})
)


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (Selection(), ["base", "ml", "ml-torch", "api", "bot"]),
        (Selection(["bot", "api"]), ["api", "bot"]),
        (Selection(["ml*"]), ["ml", "ml-torch"]),
        (Selection(tiers=[0]), ["base"]),
        (Selection(tiers=[0, 2]), ["base", "ml-torch", "bot"]),
        (Selection(bases=True), ["base", "ml", "ml-torch"]),
        (Selection(services=True), ["api", "bot"]),
        (Selection(bases=True, services=True), ["base", "ml", "ml-torch", "api", "bot"]),
        (Selection(tiers=[2], services=True), ["bot"]),
        (Selection(["ml"], with_dependents=True), ["ml", "ml-torch", "bot"]),
        (Selection(["*"], tiers=[1], bases=True), ["ml"]),
    ],
)
def test_what_matches_all_that_was_asked_is_chosen(selection: Selection, chosen: list[str]) -> None:
    assert sorted(selection.choose(GRAPH)) == sorted(chosen)


def test_images_come_in_topological_order() -> None:
    assert Selection(["bot", "ml", "base"]).choose(GRAPH) == ("base", "ml", "bot")


@pytest.mark.parametrize("pattern", ["ml-tosch", "zzz*"])
def test_a_name_or_glob_that_matches_nothing_is_an_error(pattern: str) -> None:
    with pytest.raises(WorkspaceError, match="no image is named"):
        Selection(["base", pattern]).choose(GRAPH)


def test_a_mistyped_name_names_the_nearest_image() -> None:
    with pytest.raises(WorkspaceError) as raised:
        Selection(["ml-tosch"]).choose(GRAPH)
    assert raised.value.hint == "did you mean 'ml-torch'?"


def test_only_a_selection_that_singles_out_is_not_everything() -> None:
    assert Selection(with_dependents=True).is_everything
    for narrow in ({"names": ["x"]}, {"tiers": [0]}, {"bases": True}, {"services": True}):
        assert not replace(Selection(), **narrow).is_everything


def test_a_tier_without_images_is_an_error() -> None:
    with pytest.raises(WorkspaceError, match="no image is in tier 99") as caught:
        Selection(tiers={99}).choose(graph_of("base; web: base"))
    assert caught.value.hint == "tiers are 0 to 1"
