"""The text of a deployment file, and the places in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from orchestrator.deployments.tree import Node
from orchestrator.deployments.values import Part, Span, Written

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
        if pair is None or not pair[1].text.strip():
            return None
        return Written(part, pair[1].text, self.span(pair[1]), self.span(pair[0]))
