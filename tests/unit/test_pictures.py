"""The graph as a tree, JSON, Graphviz and Mermaid."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from orchestrator.graph import Graph, build_graph
from orchestrator.model import ImageKind, Recipe, Settings, Workspace
from orchestrator.report.pictures import GRAPH_FORMATS
from tests.helpers import ROOT, graph_of, image_of


def graph() -> Graph:
    old = replace(image_of("old", "base"), recipe=Recipe("base", deprecated="use api"))
    images = [image_of("base"), old, image_of("api", "base", ImageKind.SERVICE)]
    workspace = Workspace(
        Path("/ws"), Settings(Path("/ws/orch.toml")), {image.name: image for image in images}
    )
    return build_graph(workspace)


def test_the_tree_shows_tiers_kinds_what_is_external_and_what_is_deprecated() -> None:
    assert GRAPH_FORMATS["tree"](graph()).splitlines() == [
        f"base  (tier 0, base) on {ROOT}",
        "├── old  (tier 1, base)  deprecated: use api",
        "└── api  (tier 1, service)",
    ]


def test_json_has_every_key_of_the_contract() -> None:
    document = json.loads(GRAPH_FORMATS["json"](graph()))
    assert document["schema"] == "orch.graph/1"
    assert document["images"][0] == {
        "name": "base",
        "kind": "base",
        "tier": 0,
        "path": "base/base",
        "definition": "recipe",
        "file": "base/base/image.toml",
        "parents": [],
        "dependents": ["old", "api"],
        "external": [ROOT],
        "deprecated": "",
    }
    assert document["images"][1]["deprecated"] == "use api"


def test_dot_has_a_node_for_each_image_and_an_edge_for_each_parent() -> None:
    lines = GRAPH_FORMATS["dot"](graph()).splitlines()
    assert lines[0] == "digraph orch {"
    assert lines[-1] == "}"
    assert '  "api" [shape=ellipse, fillcolor=white];' in lines
    assert '  "old" [shape=box, fillcolor=lightgray];' in lines
    assert [line for line in lines if "->" in line] == ['  "base" -> "old";', '  "base" -> "api";']


def test_mermaid_has_a_node_for_each_image_and_an_edge_for_each_parent() -> None:
    assert GRAPH_FORMATS["mermaid"](graph()).splitlines() == [
        "flowchart TD",
        '  n0["base"]',
        '  n1["old"]',
        '  n2(["api"])',
        "  n0 --> n1",
        "  n0 --> n2",
    ]


def test_mermaid_s_ids_are_none_of_its_words() -> None:
    assert 'n0["end"]' in GRAPH_FORMATS["mermaid"](graph_of("end"))
