"""One version for the whole tree, and each image locks only what it adds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from orchestrator.errors import OrchError
from orchestrator.resolve.python.conflict import ConflictError
from orchestrator.resolve.python.requirements import RequirementLine
from orchestrator.resolve.python.tree import Resolved, Tree, resolve_tree
from orchestrator.resolve.python.uv import NoSolutionError
from tests.helpers import graph_of
from tests.houses import TARGET, House


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.add("lib 1.0", "lib 2.0", "web 1.0: lib", "web 2.0: lib>=2", "extra 1.0: web", "x 1.0")
    return house


def lines(where: str, *requirements: str) -> tuple[RequirementLine, ...]:
    return tuple(
        RequirementLine(Requirement(text), f"{where}:{number}")
        for number, text in enumerate(requirements, 1)
    )


def tree_of(
    text: str,
    asked: Mapping[str, tuple[str, ...]],
    constraints: tuple[str, ...] = (),
    preferred: Mapping[str, str] | None = None,
    moving: frozenset[str] = frozenset(),
) -> Tree:
    graph = graph_of(text)
    return Tree(
        graph,
        {name: lines(f"{name}/requirements.txt", *asked.get(name, ())) for name in graph.images},
        lines("constraints.txt", *constraints),
        dict.fromkeys(graph.images, TARGET),
        preferred or {},
        moving,
    )


def resolve(house: House, tree: Tree) -> Resolved:
    return resolve_tree(tree, house.uv())


def refusal(house: House, tree: Tree) -> OrchError:
    with pytest.raises((ConflictError, NoSolutionError)) as caught:
        resolve(house, tree)
    assert caught.value.hint
    return caught.value


def test_a_child_adds_only_what_its_ancestors_lack(house: House) -> None:
    tree = tree_of("base; api: base", {"base": ("web",), "api": ("extra", "lib")})
    assert resolve(house, tree).adds == {
        "base": {"lib": "2.0", "web": "2.0"},
        "api": {"extra": "1.0"},
    }


def test_an_image_that_asks_for_nothing_adds_nothing(house: House) -> None:
    tree = tree_of("base; mid: base; api: mid", {"base": ("lib",), "api": ("web",)})
    assert resolve(house, tree).adds == {"base": {"lib": "2.0"}, "mid": {}, "api": {"web": "2.0"}}


def test_a_bound_of_one_image_holds_for_all(house: House) -> None:
    tree = tree_of("base; a: base; b: base", {"a": ("lib",), "b": ("lib<2",)})
    assert resolve(house, tree).adds == {"base": {}, "a": {"lib": "1.0"}, "b": {"lib": "1.0"}}


def test_a_childs_bound_holds_for_its_base(house: House) -> None:
    tree = tree_of("base; api: base", {"base": ("lib",), "api": ("lib<2",)})
    assert resolve(house, tree).adds == {"base": {"lib": "1.0"}, "api": {}}


def test_images_that_exclude_each_other_get_their_own_versions(house: House) -> None:
    tree = tree_of("base; a: base; b: base", {"a": ("lib>=2",), "b": ("lib<2",)})
    resolved = resolve(house, tree)
    assert resolved.adds == {"base": {}, "a": {"lib": "2.0"}, "b": {"lib": "1.0"}}
    assert resolved.split == {"lib": ("1.0", "2.0")}


def test_a_contradiction_of_an_ancestors_pin_names_both_sides(house: House) -> None:
    tree = tree_of("base; api: base", {"base": ("x", "lib==1.0"), "api": ("x", "lib>=2")})
    message = refusal(house, tree).message
    assert "api wants lib>=2 (api/requirements.txt:2)" in message
    assert "base, which holds lib 1.0 (base/requirements.txt:2)" in message


def test_a_contradiction_of_what_an_ancestor_brought_names_what_it_is_there_for(
    house: House,
) -> None:
    tree = tree_of("base; api: base", {"base": ("web>=2",), "api": ("lib<2",)})
    message = refusal(house, tree).message
    assert "api wants lib<2" in message
    assert "base, which holds lib 2.0 for web 2.0 (base/requirements.txt:1)" in message


def test_a_contradiction_of_a_constraint_names_both_lines(house: House) -> None:
    tree = tree_of("base", {"base": ("lib>=2",)}, ("x==1.0", "lib==1.0"))
    message = refusal(house, tree).message
    assert "base wants lib>=2 (base/requirements.txt:1)" in message
    assert "constraints.txt:2 pins lib==1.0" in message


def test_what_nothing_satisfies_names_the_image(house: House) -> None:
    tree = tree_of("base; api: base", {"api": ("web>=2", "lib<2")})
    assert refusal(house, tree).message.startswith("locking api for linux/amd64: ")


def test_constraints_hold_and_add_nothing(house: House) -> None:
    tree = tree_of("base", {"base": ("web",)}, ("lib<2", "x==1.0"))
    assert resolve(house, tree).adds == {"base": {"lib": "1.0", "web": "1.0"}}


def test_an_image_without_a_source_is_set_aside_and_the_others_locked(house: House) -> None:
    tree = tree_of("base; a: base; b: base", {"base": ("lib",), "a": ("missing",), "b": ("web",)})
    resolved = resolve(house, tree)
    assert [*resolved.unavailable] == ["a"]
    assert "missing was not found" in resolved.unavailable["a"]
    assert resolved.adds == {"base": {"lib": "2.0"}, "b": {"web": "2.0"}}


def test_what_stands_on_an_image_without_a_source_is_set_aside_too(house: House) -> None:
    tree = tree_of("base; a: base; leaf: a", {"a": ("missing",), "leaf": ("x",)})
    resolved = resolve(house, tree)
    assert [*resolved.unavailable] == ["a", "leaf"]
    assert resolved.adds == {"base": {}}


def test_versions_of_the_previous_lock_are_kept(house: House) -> None:
    asked = {"base": ("web",)}
    kept = resolve(house, tree_of("base", asked, preferred={"lib": "1.0", "web": "1.0"}))
    assert kept.adds == {"base": {"lib": "1.0", "web": "1.0"}}


def test_a_kept_version_that_no_longer_satisfies_moves_alone(house: House) -> None:
    previous = {"lib": "1.0", "web": "1.0", "x": "1.0"}
    house.add("x 2.0")
    tree = tree_of("base", {"base": ("web", "lib>=2", "x")}, preferred=previous)
    assert resolve(house, tree).adds == {"base": {"lib": "2.0", "web": "1.0", "x": "1.0"}}


def test_a_kept_version_that_is_gone_moves(house: House) -> None:
    tree = tree_of("base", {"base": ("lib",)}, preferred={"lib": "0.5"})
    assert resolve(house, tree).adds == {"base": {"lib": "2.0"}}


def test_both_chains_of_a_contradiction_are_named_through_the_tiers(house: House) -> None:
    house.add("old 1.0: mid", "mid 1.0: lib<2")
    tree = tree_of(
        "base; web: base; api: web",
        {"base": ("x", "web>=2"), "api": ("x", "old")},
    )
    assert refusal(house, tree).message == (
        "api wants old (api/requirements.txt:2), which needs mid, which needs lib<2, but it "
        "stands on web -> base, which holds lib 2.0 for web 2.0 (base/requirements.txt:2)"
    )


def test_a_chain_that_contradicts_a_constraint_names_its_line(house: House) -> None:
    house.add("old 1.0: lib<2")
    tree = tree_of("base", {"base": ("x", "old")}, ("x==1.0", "lib==2.0"))
    assert refusal(house, tree).message == (
        "base wants old (base/requirements.txt:2), which needs lib<2, "
        "but constraints.txt:2 pins lib==2.0"
    )


def test_a_package_that_a_middle_tier_adds_is_said_to_be_held_there(house: House) -> None:
    house.add("old 1.0: lib<2")
    tree = tree_of(
        "base; web: base; api: web", {"base": ("x",), "web": ("lib>=2",), "api": ("old",)}
    )
    message = refusal(house, tree).message
    assert message.endswith("stands on web, which holds lib 2.0 (web/requirements.txt:1)")


def test_siblings_that_exclude_each_other_keep_what_was_locked(house: House) -> None:
    asked = {"base": ("x",), "a": ("lib>=2", "web"), "b": ("lib<2",)}
    previous = {"x": "1.0", "web": "1.0"}
    house.add("x 2.0")
    adds = resolve(house, tree_of("base; a: base; b: base", asked, preferred=previous)).adds
    assert adds == {"base": {"x": "1.0"}, "a": {"lib": "2.0", "web": "1.0"}, "b": {"lib": "1.0"}}


def test_what_moves_takes_along_what_must_move_with_it_and_no_more(house: House) -> None:
    house.add("x 2.0", "y 1.0", "y 2.0")
    asked, previous = {"base": ("web", "lib", "x", "y")}, {"lib": "1.0", "x": "1.0", "y": "1.0"}
    tree = tree_of("base", asked, preferred=previous, moving=frozenset({"web"}))
    moved = {"lib": "2.0", "web": "2.0", "x": "1.0", "y": "1.0"}
    assert resolve(house, tree).adds == {"base": moved}
