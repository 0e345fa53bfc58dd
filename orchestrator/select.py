"""Which images a verb is about: names, globs, tiers and kinds."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from orchestrator.errors import WorkspaceError
from orchestrator.graph import Graph
from orchestrator.model import ImageKind


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked for; nothing asked for is everything.

    `changed` and `since` need fingerprints: whoever has them narrows what `choose` returns.
    """

    names: Sequence[str] = ()
    tiers: Collection[int] = ()
    bases: bool = False
    services: bool = False
    with_dependents: bool = False
    changed: bool = False
    since: str = ""

    @property
    def is_everything(self) -> bool:
        """Tell whether no image was singled out."""
        singled_out = self.names or self.tiers or self.bases or self.services
        return not (singled_out or self.changed or self.since)

    def choose(self, graph: Graph) -> tuple[str, ...]:
        """Return the images that match all of what was asked for, in topological order.

        Raises:
            WorkspaceError: A name or glob matches no image, or no image is in a tier.
        """
        chosen = set(graph.images)
        if self.names:
            chosen = {name for pattern in self.names for name in _matching(graph, pattern)}
        if self.tiers:
            _check_tiers(graph, self.tiers)
            chosen &= {name for name in chosen if graph.tiers[name] in self.tiers}
        kinds = {ImageKind.BASE: self.bases, ImageKind.SERVICE: self.services}
        if self.bases or self.services:
            chosen = {name for name in chosen if kinds[graph.images[name].kind]}
        if self.with_dependents:
            return graph.descendants(chosen)
        return tuple(name for name in graph.images if name in chosen)


def _check_tiers(graph: Graph, tiers: Collection[int]) -> None:
    known = set(graph.tiers.values())
    for tier in tiers:
        if tier not in known:
            hint = f"tiers are 0 to {max(known)}" if known else "orch graph shows the images"
            raise WorkspaceError(f"no image is in tier {tier}", hint=hint)


def _matching(graph: Graph, pattern: str) -> list[str]:
    found = [name for name in graph.images if fnmatchcase(name, pattern)]
    if not found:
        near = difflib.get_close_matches(pattern, graph.images, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "orch graph shows the images"
        raise WorkspaceError(f"no image is named {pattern!r}", hint=hint)
    return found
