"""The text of a deployment file, and the places in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.deployments.tree import Node, Shape
from orchestrator.deployments.values import Part, Room, Span, Written

_BREAK = re.compile(r"\n|\r(?!\n)")


@dataclass(frozen=True, slots=True)
class Source:
    """A file's path and text; `begins` are the offsets at which its lines begin."""

    path: str
    text: str
    begins: tuple[int, ...] = field(default=())

    @classmethod
    def of(cls, path: str, text: str) -> Source:
        """Return a text with the begins of its lines."""
        return cls(path, text, (0, *(found.end() for found in _BREAK.finditer(text))))

    def line(self, offset: int) -> int:
        """Return the line, counted from 1, that an offset lies on."""
        return bisect_right(self.begins, offset)

    def span(self, node: Node) -> Span:
        """Return where a node stands."""
        line = self.line(node.start)
        return Span(node.start, node.end, line, node.start - self.begins[line - 1] + 1)

    def written(self, part: Part, mapping: Node, name: str) -> Written | None:
        """Return a mapping's scalar; None where it has none, or an empty one."""
        pair = mapping.pair(name)
        if pair is None or _is_empty(pair[1]):
            return None
        return Written(part, pair[1].text, self.span(pair[1]), self.span(pair[0]))

    def blank(self, part: Part, mapping: Node, name: str) -> Written | None:
        """Return a mapping's key that has no value, or an empty one; None where it has none."""
        pair = mapping.pair(name)
        if pair is None or pair[1].shape is not Shape.SCALAR or not _is_empty(pair[1]):
            return None
        return Written(part, "", self.span(pair[1]), self.span(pair[0]))

    def room(self, mapping: Node, written: Sequence[Written]) -> Room:
        """Return the room beside the last key that is the mapping's own, not merged into it."""
        own = [one for one in written if mapping.start <= one.key.start < mapping.end]
        last = max(own or written, key=lambda one: one.key.start)
        is_flow = bool(own) and self.text[mapping.start] == "{"
        return Room(last.key, last.span, is_flow)


def _is_empty(node: Node) -> bool:
    return node.text.strip() in {"", "~", "null"}
