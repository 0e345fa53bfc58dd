"""The order of images on random graphs: topological, stable, with tiers that fit."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fingerprint import Fingerprint, Input
from orchestrator.graph import CycleError, Graph, build_graph
from orchestrator.model import Image, Settings, Workspace
from orchestrator.plan import Action, Recorded, plan_builds
from tests.helpers import AMD64, ROOT, image_of


def graph_of_images(images: list[Image]) -> Graph:
    by_name = {image.name: image for image in images}
    return build_graph(Workspace(Path("/ws"), Settings(Path("/ws/orch.toml")), by_name))


@st.composite
def forests(draw: st.DrawFn) -> list[Image]:
    """Draw images, each on an earlier one or on none, in any order of the workspace."""
    images = []
    for number in range(draw(st.integers(1, 12))):
        parent = draw(st.integers(-1, number - 1))
        images.append(image_of(f"i{number}", f"i{parent}" if parent >= 0 else ROOT))
    return draw(st.permutations(images))


@given(forests())
def test_every_image_comes_once_and_after_its_parents(images: list[Image]) -> None:
    graph = graph_of_images(images)
    order = list(graph.images)
    assert sorted(order) == sorted(image.name for image in images)
    for name in order:
        assert all(order.index(parent) < order.index(name) for parent in graph.parents[name])


@given(forests())
def test_the_order_is_the_first_of_all_topological_ones(images: list[Image]) -> None:
    """By the workspace's order: what comes before an image it could swap with is its elder."""
    position = {image.name: index for index, image in enumerate(images)}
    graph = graph_of_images(images)
    order = list(graph.images)
    for before, after in itertools.pairwise(order):
        assert position[before] < position[after] or before in graph.parents[after]


@given(forests())
def test_a_tier_is_one_more_than_the_highest_parent_s(images: list[Image]) -> None:
    graph = graph_of_images(images)
    for name, tier in graph.tiers.items():
        assert tier == max((graph.tiers[p] + 1 for p in graph.parents[name]), default=0)


@given(forests(), st.data())
def test_what_reaches_an_image_is_what_it_reaches_back(
    images: list[Image], data: st.DataObject
) -> None:
    graph = graph_of_images(images)
    names = list(graph.images)
    one, other = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(names))
    assert (one in graph.ancestors([other])) == (other in graph.descendants([one]))
    assert graph.ancestors([one]) == tuple(image.name for image in graph.chain(one))


@given(forests(), st.data())
def test_a_circle_anywhere_is_found_and_its_path_leads_back(
    images: list[Image], data: st.DataObject
) -> None:
    graph = graph_of_images(images)
    top = data.draw(st.sampled_from(list(graph.images)))
    below = data.draw(st.sampled_from(graph.descendants([top])))
    turned = [
        replace(image, recipe=replace(image.recipe, parent=below)) if image.name == top else image
        for image in images
    ]
    try:
        graph_of_images(turned)
    except CycleError as error:
        path = error.message.rpartition(": ")[2].split(" -> ")
        parents = {image.name: image.parent for image in turned}
        assert path[0] == path[-1]
        assert all(parents[a] == b for a, b in itertools.pairwise(path))
    else:
        raise AssertionError("no cycle found")


@given(forests(), st.data())
def test_a_change_builds_what_stands_on_it_and_nothing_else(
    images: list[Image], data: st.DataObject
) -> None:
    graph = graph_of_images(images)
    changed = data.draw(st.sets(st.sampled_from(list(graph.images))))

    def fingerprints(moved: set[str]) -> dict[str, Fingerprint]:
        found: dict[str, Fingerprint] = {}
        for name in graph.images:
            own = Input("file", "x", "new" if name in moved else "old")
            parents = [Input("parent", p, found[p].digest) for p in graph.parents[name]]
            found[name] = Fingerprint.of([own, *parents])
        return found

    recorded = {name: Recorded(value, "sha256:x") for name, value in fingerprints(set()).items()}
    plan = plan_builds(graph, AMD64, fingerprints(changed), recorded)
    assert tuple(step.image.name for step in plan.to_build) == graph.descendants(changed)
    for step in plan.steps.values():
        assert bool(step.reasons) == (step.action is Action.BUILD)
