"""Which package needs which: the edges between what an image holds, and the chains along them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """A package that is needed; `text` is how metadata asks for it, `pydantic<2`.

    `text` is the name alone where only that is known.
    """

    name: str
    text: str


Edges = Mapping[str, tuple[Need, ...]]
"""What each package needs, by its name, which is normalised where it is a Python project's."""


def find_chain(edges: Edges, start: str, goal: str) -> tuple[Need, ...] | None:
    """Return the shortest way from one package to another, the goal last; None where none is.

    Of ways of equal length the first by name is taken. A package leads to itself by no step.
    """
    came_by: dict[str, tuple[str, Need] | None] = {start: None}
    pending = deque([start])
    while pending:
        name = pending.popleft()
        if name == goal:
            return tuple(_walk_back(came_by, goal))
        for need in sorted(edges.get(name, ())):
            if need.name not in came_by:
                came_by[need.name] = name, need
                pending.append(need.name)
    return None


def _walk_back(came_by: Mapping[str, tuple[str, Need] | None], goal: str) -> list[Need]:
    steps: list[Need] = []
    while step := came_by[goal]:
        goal, need = step
        steps.append(need)
    return steps[::-1]


def turned_round(via: Iterable[tuple[str, Iterable[str]]]) -> Edges:
    """Return the edges of packages that are given with the names of those who need them."""
    edges: dict[str, set[Need]] = {}
    for name, askers in via:
        for asker in askers:
            edges.setdefault(asker, set()).add(Need(name, name))
    return {name: tuple(sorted(needs)) for name, needs in edges.items()}
