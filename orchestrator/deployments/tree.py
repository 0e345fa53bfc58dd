"""A YAML document as a tree whose scalars know their place; aliases share their node."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

_MERGE = "<<"


class Shape(Enum):
    """What a node is."""

    SCALAR = "scalar"
    SEQUENCE = "sequence"
    MAPPING = "mapping"


class Node:
    """A node of a document; `start` and `end` are offsets in the file's text.

    Not a frozen value: an alias may lead back to a node that is still being read. Nothing is
    changed once the document is whole, and nothing of it leaves this room.
    """

    __slots__ = ("elements", "end", "pairs", "shape", "start", "text")

    def __init__(self, shape: Shape, start: int, end: int, text: str = "") -> None:
        self.shape = shape
        self.start = start
        self.end = end
        self.text = text
        self.elements: list[Node] = []
        self.pairs: list[tuple[Node, Node]] = []

    def pair(self, name: str) -> tuple[Node, Node] | None:
        """Return a key and its value, merged mappings (`<<`) after the own; None without it.

        Of equal keys the last counts, as for those who apply such files.
        """
        pending, seen = [self], set[int]()
        while pending:
            node = pending.pop(0)
            if id(node) in seen:
                continue
            seen.add(id(node))
            for key, value in reversed(node.pairs):
                if key.shape is Shape.SCALAR and key.text == name:
                    return key, value
            merged = [value for key, value in node.pairs if key.text == _MERGE]
            pending.extend(one for value in merged for one in (value.elements or [value]))
        return None

    def get(self, name: str) -> Node:
        """Return a key's value; an empty scalar where there is none."""
        found = self.pair(name)
        return found[1] if found else _ABSENT

    def word(self, name: str) -> str:
        """Return a key's value as text; empty where it is no scalar."""
        return self.get(name).text

    def children(self) -> Iterator[Node]:
        """Yield the nodes directly below."""
        yield from self.elements
        for _, value in self.pairs:
            yield value


_ABSENT = Node(Shape.SCALAR, 0, 0)


def walk(root: Node) -> Iterator[Node]:
    """Yield a node and all below it, in the order of the text; each once, however often named."""
    pending, seen = [root], set[int]()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        pending.extend(reversed(list(node.children())))
