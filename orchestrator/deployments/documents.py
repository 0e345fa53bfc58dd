"""The documents of a YAML file. The one module here that knows the parser.

Source: YAML 1.2.2, 9.1 "Documents" for the marks between them, 7.1 for aliases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.deployments.plain import parse_plain
from orchestrator.deployments.tree import Node, Shape

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node as Composed

_MARK = re.compile(r"^(?:---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)
_LONGEST = 256 * 1024
_IMAGE = re.compile("image", re.IGNORECASE)
_SCHEMA = re.compile(r"^kind: *['\"]?CustomResourceDefinition\b", re.MULTILINE)
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)+")
"""An anchor and a tag, which the parser counts as part of what they stand before."""
_SHAPES = {"scalar": Shape.SCALAR, "sequence": Shape.SEQUENCE, "mapping": Shape.MAPPING}


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its root, or why it has none; `start` is its offset in the file's text."""

    start: int
    root: Node | None = None
    problem: str = ""
    text: str = ""


def parse_documents(text: str) -> Iterator[Document]:
    """Parse the documents of a text that can name an image; others are passed over.

    A mark at the start of a line always ends a document, so each is parsed alone: one that is
    broken spoils no other, and what holds no image costs nothing. Aliases are not expanded, so
    that a few lines cannot fill the memory.
    """
    for start, end in _bounds(text):
        part = text[start:end]
        if not names_image(part) or _SCHEMA.search(part):
            continue
        if len(part) > _LONGEST:
            yield Document(start, problem=f"a document of more than {_LONGEST // 1024} KiB")
        else:
            root = parse_plain(part, start)
            yield Document(start, root) if root else parse_fully(part, start)


def names_image(text: str) -> bool:
    """Tell whether a text can name an image, before anybody parses it."""
    return _IMAGE.search(text) is not None


def _bounds(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for mark in _MARK.finditer(text):
        yield start, mark.start()
        start = mark.start() + 3
    yield start, len(text)


def parse_fully(text: str, start: int) -> Document:
    """Parse a document that may have anything that YAML has."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - only where files name images
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415 - likewise

    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    try:
        composed = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = start + mark.index if mark else start
        return Document(at, problem=error.problem or error.context or "no YAML", text=text)
    except RecursionError:
        return Document(start, problem="nested too deeply", text=text)
    except (YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:
        return Document(start, problem=str(error).partition("\n")[0], text=text)
    return Document(start, _tree(composed, text, start), text=text)


def _tree(composed: Composed | None, document: str, start: int) -> Node | None:
    """Turn the parser's nodes into ours; a node that aliases name becomes one node."""
    known: dict[int, Node] = {}

    def turn(node: Any) -> Node:
        found = known.get(id(node))
        if found is None:
            text = node.value if node.id == "scalar" else ""
            begin, end = node.start_mark.index, node.end_mark.index
            if properties := _PROPERTIES.match(document, begin):
                begin = min(properties.end(), end)
            end = begin + len(document[begin:end].rstrip())  # of a block its last line break too
            found = known[id(node)] = Node(_SHAPES[node.id], begin + start, end + start, text)
            pending.append(node)
        return found

    pending: list[Any] = []
    root = turn(composed) if composed else None
    while pending:
        node = pending.pop()
        ours = known[id(node)]
        if node.id == "sequence":
            ours.elements = [turn(item) for item in node.value]
        elif node.id == "mapping":
            ours.pairs = [(turn(key), turn(value)) for key, value in node.value]
    return root
