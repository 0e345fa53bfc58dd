"""The graph of images: parents, dependents, tiers. The one module that knows networkx.

It is imported only for images that do not stand in order already, as those of most workspaces do:
importing it takes as long as all else that a build with nothing to do does in Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from orchestrator.edges import edges_of, sibling_below, takes_wheels
from orchestrator.errors import WorkspaceError
from orchestrator.model import Image, Workspace
from orchestrator.siblings import SiblingNames

DEBIAN_PREFIX = "debian:"


class CycleError(WorkspaceError):
    """Images stand on each other in a circle."""


@dataclass(frozen=True)
class Graph:
    """Images in topological order, ties in workspace order, with their edges and tiers.

    `below` has the sibling that an image's layers begin with, where there is one; `pythons` the
    minor version of Python that wheels for an image must fit. `takes_wheels` are the images that
    wheels of the lock reach: recipes, and Dockerfiles that use the context of wheels.
    """

    images: Mapping[str, Image]
    parents: Mapping[str, tuple[str, ...]]
    dependents: Mapping[str, tuple[str, ...]]
    external: Mapping[str, tuple[str, ...]]
    tiers: Mapping[str, int]
    below: Mapping[str, str] = field(default_factory=dict)
    pythons: Mapping[str, str] = field(default_factory=dict)
    takes_wheels: frozenset[str] = frozenset()

    @cached_property
    def _position(self) -> Mapping[str, int]:
        return {name: number for number, name in enumerate(self.images)}

    @property
    def recipes(self) -> tuple[str, ...]:
        """Return the images that recipes define, in topological order."""
        return tuple(name for name, image in self.images.items() if image.build is None)

    @property
    def locked(self) -> tuple[str, ...]:
        """Return the images of which the lock says what they add, in topological order."""
        return tuple(name for name, image in self.images.items() if image.is_locked)

    def chain(self, name: str) -> tuple[Image, ...]:
        """Return an image and what it stands on as far as it is known what that holds, root first.

        Of a recipe these are recipes: what a Dockerfile puts where, no lock knows. Of a
        Dockerfile's image they are locked images with the same Python.
        """
        chain = [self.images[name]]
        while parent := self.images.get(self.below.get(chain[-1].name, "")):
            if not self._hands_down(parent, chain[-1]):
                break
            chain.append(parent)
        return tuple(reversed(chain))

    def _hands_down(self, parent: Image, image: Image) -> bool:
        if image.build is None:
            return parent.build is None
        same = self.pythons[parent.name] == self.pythons[image.name]
        return image.is_locked and parent.is_locked and same

    def ancestors(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the images and all they stand on, in topological order."""
        return self._reach(names, self.parents)

    def descendants(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the images and all that stands on them, in topological order."""
        return self._reach(names, self.dependents)

    def _reach(self, names: Iterable[str], edges: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        seen = set(names)
        pending = list(seen)
        while pending:
            found = [edge for edge in edges[pending.pop()] if edge not in seen]
            seen.update(found)
            pending += found
        return tuple(sorted(seen, key=self._position.__getitem__))


def build_graph(workspace: Workspace) -> Graph:
    """Order a workspace's images.

    Raises:
        UnknownParentError: An image stands on a sibling that the workspace lacks.
        CycleError: Images stand on each other in a circle; the message has the whole path.
    """
    images = workspace.images
    edges: dict[str, tuple[str, ...]] = {}
    external: dict[str, tuple[str, ...]] = {}
    names = SiblingNames(workspace)
    for image in images.values():
        edges[image.name], external[image.name] = edges_of(workspace, names, image)
    order = _order(workspace, edges)
    parents = {name: edges[name] for name in order}
    tiers: dict[str, int] = {}
    for name in order:
        tiers[name] = 1 + max((tiers[parent] for parent in parents[name]), default=-1)
    below = {name: sibling_below(names, image, edges[name]) for name, image in images.items()}
    return Graph(
        images={name: images[name] for name in order},
        parents=parents,
        dependents=_dependents(images, edges, order),
        external={name: external[name] for name in order},
        tiers=tiers,
        below={name: sibling for name, sibling in below.items() if sibling},
        pythons=_pythons(workspace, order, below),
        takes_wheels=frozenset(
            name for name, image in images.items() if takes_wheels(names, image)
        ),
    )


def _order(workspace: Workspace, edges: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the images in topological order, ties as in the workspace.

    Where every image comes after what it stands on, the order of the workspace is that order.

    Raises:
        CycleError: There is none.
    """
    position = {name: index for index, name in enumerate(edges)}
    if all(position[parent] < position[name] for name in edges for parent in edges[name]):
        return list(edges)
    import networkx as nx  # noqa: PLC0415 - slow to import

    digraph: nx.DiGraph[str] = nx.DiGraph()
    digraph.add_nodes_from(edges)
    digraph.add_edges_from((parent, name) for name in edges for parent in edges[name])
    try:
        return list(nx.lexicographical_topological_sort(digraph, key=position.__getitem__))
    except nx.NetworkXUnfeasible:
        raise _cycle_error(workspace, [edge[0] for edge in nx.find_cycle(digraph)]) from None


def _dependents(
    images: Iterable[str], edges: Mapping[str, tuple[str, ...]], order: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """Return what stands on each image, in the order of the workspace."""
    dependents: dict[str, list[str]] = {name: [] for name in order}
    for name in images:
        for parent in edges[name]:
            dependents[parent].append(name)
    return {name: tuple(found) for name, found in dependents.items()}


def _pythons(
    workspace: Workspace, order: Iterable[str], below: Mapping[str, str]
) -> dict[str, str]:
    pythons: dict[str, str] = {}
    for name in order:
        build, default = workspace.images[name].build, workspace.settings.python.version
        handed = pythons.get(below[name], default)
        pythons[name] = default if build is None else build.settings.python or handed
    return pythons


def _cycle_error(workspace: Workspace, circle: list[str]) -> CycleError:
    path = [*circle, circle[0]]
    image = workspace.images[path[1]]
    return CycleError(
        f"images stand on each other in a circle: {' -> '.join(reversed(path))}",
        hint="let one of them stand on something outside the circle",
        file=workspace.root / image.file,
        line=image.recipe.parent_line,
    )
