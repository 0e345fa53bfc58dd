"""The graph of images in the languages of drawing tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from orchestrator.graph import Graph
from orchestrator.model import ImageKind
from orchestrator.report.documents import graph_document
from orchestrator.report.text import tree_lines


def format_tree(graph: Graph) -> str:
    """Return the graph as a tree for the terminal."""
    notes = {}
    for name, image in graph.images.items():
        note = f"  (tier {graph.tiers[name]}, {image.kind.value})"
        if graph.external[name]:
            note += f" on {', '.join(graph.external[name])}"
        if image.recipe.deprecated:
            note += f"  deprecated: {image.recipe.deprecated}"
        notes[name] = note
    return "\n".join(tree_lines(graph, notes))


def format_json(graph: Graph) -> str:
    """Return the graph as a JSON document."""
    return json.dumps(graph_document(graph), indent=2)


def format_dot(graph: Graph) -> str:
    """Return the graph in Graphviz's language, a row a tier."""
    lines = ["digraph orch {", "  rankdir=TB;", "  node [fontname=sans, style=filled];"]
    for name, image in graph.images.items():
        shape = "box" if image.kind is ImageKind.BASE else "ellipse"
        fill = "lightgray" if image.recipe.deprecated else "white"
        lines.append(f'  "{name}" [shape={shape}, fillcolor={fill}];')
    lines += [f'  "{parent}" -> "{child}";' for parent, child in _edges(graph)]
    return "\n".join([*lines, "}"])


def format_mermaid(graph: Graph) -> str:
    """Return the graph as a Mermaid flowchart."""
    ids = {name: f"n{index}" for index, name in enumerate(graph.images)}
    lines = ["flowchart TD"]
    for name, image in graph.images.items():
        left, right = ("[", "]") if image.kind is ImageKind.BASE else ("([", "])")
        lines.append(f'  {ids[name]}{left}"{name}"{right}')
    lines += [f"  {ids[parent]} --> {ids[child]}" for parent, child in _edges(graph)]
    return "\n".join(lines)


def _edges(graph: Graph) -> Iterator[tuple[str, str]]:
    for name in graph.images:
        for child in graph.dependents[name]:
            yield name, child


GRAPH_FORMATS: Mapping[str, Callable[[Graph], str]] = {
    "tree": format_tree,
    "json": format_json,
    "dot": format_dot,
    "mermaid": format_mermaid,
}
