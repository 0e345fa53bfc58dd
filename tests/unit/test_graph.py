"""The graph: order, tiers, reach, and the errors of edges."""

from __future__ import annotations

import pytest

from orchestrator.edges import UnknownParentError
from orchestrator.graph import CycleError
from tests.helpers import graph_of

TIERS = "api: web; web: base; ml: base; base; torch: ml"


def test_parents_come_before_what_stands_on_them() -> None:
    assert list(graph_of(TIERS).images) == ["base", "web", "api", "ml", "torch"]


def test_ties_keep_the_workspace_s_order() -> None:
    assert list(graph_of("c; a; b").images) == ["c", "a", "b"]


def test_a_tier_is_the_generation_from_the_roots() -> None:
    assert graph_of(TIERS).tiers == {"base": 0, "web": 1, "api": 2, "ml": 1, "torch": 2}


def test_dependents_are_the_mirror_of_parents() -> None:
    graph = graph_of(TIERS)
    assert graph.dependents["base"] == ("web", "ml")
    assert graph.parents["web"] == ("base",)


def test_ancestors_and_descendants_reach_every_tier() -> None:
    graph = graph_of(TIERS)
    assert graph.ancestors(["api"]) == ("base", "web", "api")
    assert graph.descendants(["base"]) == ("base", "web", "api", "ml", "torch")
    assert graph.descendants(["torch", "web"]) == ("web", "api", "torch")


def test_a_chain_leads_from_the_root_to_the_image() -> None:
    assert [image.name for image in graph_of(TIERS).chain("api")] == ["base", "web", "api"]


@pytest.mark.parametrize(
    "parent", ["debian:bookworm", "python@sha256:ab", "registry.example.com/x/y"]
)
def test_a_reference_with_tag_digest_or_registry_is_external(parent: str) -> None:
    graph = graph_of(f"a: {parent}")
    assert graph.external["a"] == (parent,)
    assert graph.parents["a"] == ()


def test_a_cycle_is_refused_with_its_whole_path() -> None:
    with pytest.raises(CycleError) as raised:
        graph_of("x; a: b; b: c; c: a; d: a")
    assert str(raised.value.message).endswith("in a circle: a -> b -> c -> a")
    assert raised.value.file.endswith("image.toml")


def test_an_image_that_stands_on_itself_is_a_cycle() -> None:
    with pytest.raises(CycleError, match="a -> a"):
        graph_of("a: a")


def test_an_unknown_parent_names_the_nearest_image() -> None:
    with pytest.raises(UnknownParentError, match="api stands on 'pyton-web'") as raised:
        graph_of("python-base; python-web: python-base; api: pyton-web")
    assert raised.value.hint == "did you mean 'python-web'?"
    assert raised.value.file == "/ws/base/api/image.toml"


def test_an_unknown_parent_like_no_other_is_asked_for_a_tag() -> None:
    with pytest.raises(UnknownParentError) as raised:
        graph_of("python-base; api: zzz")
    assert (
        raised.value.hint
        == "orch graph shows the images; one from elsewhere needs its tag or digest"
    )
