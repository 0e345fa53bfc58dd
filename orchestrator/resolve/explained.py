"""Why a package is there: who holds it, through whom, and what bears on its version."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from packaging.utils import canonicalize_name

from orchestrator.errors import WorkspaceError
from orchestrator.graph import Graph
from orchestrator.lockfile import ImageLock, Lock, Package
from orchestrator.model import LockedDeb, Platform, Workspace
from orchestrator.resolve.edges import Edges, find_chain
from orchestrator.resolve.explanations import Chain, Explained, Held, Kind, Line, Step
from orchestrator.resolve.inputs import read_constraints, read_tree_requirements, wanted_debs

T = TypeVar("T")

FindEdges = Callable[[Kind, str, Platform], Edges | None]
"""Gives who needs whom of what an image and its ancestors hold; None where it is not known."""


def explain_package(
    workspace: Workspace, graph: Graph, lock: Lock, name: str, find_edges: FindEdges
) -> Explained:
    """Say which images hold a package, why, and which would have to change to move it.

    Where a Debian and a Python package share the name, both are explained.

    Raises:
        WorkspaceError: No image holds it; the hint has the nearest name.
    """
    known = {package.name for adds in lock.images.values() for package in _packages(adds)}
    wanted = name if name in known else canonicalize_name(name)
    if wanted not in known:
        raise unknown_package(name, known)
    lines = _lines(workspace, graph)
    explaining = _Explaining(graph, lock, lines, find_edges)
    rows: dict[tuple[str, ...], Held] = {}
    for (image, platform), adds in sorted(lock.images.items()):
        for package in _packages(adds):
            if package.name == wanted and image in graph.images:
                held = explaining.explain(package, image, platform)
                key = (held.kind.value, image, held.version, held.form)
                rows[key] = _joined(rows[key], held) if key in rows else held
    constraints = (
        Line(str(line), line.where, name=line.name) for line in read_constraints(workspace)
    )
    bounds = [*(line for kind in Kind for line in lines[kind]), *constraints]
    order = {image: index for index, image in enumerate(graph.images)}
    found = sorted(rows.values(), key=lambda row: (row.kind.value, order[row.added_by]))
    return Explained(wanted, tuple(found), tuple(line for line in bounds if line.name == wanted))


def unknown_package(name: str, known: set[str]) -> WorkspaceError:
    """Return the error for a package that no image holds, with the nearest name as hint."""
    near = difflib.get_close_matches(name.lower(), sorted(known), n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else "orch.lock has the names of all"
    return WorkspaceError(f"no image holds a package {name!r}", hint=hint)


def _packages(adds: ImageLock) -> tuple[Package, ...]:
    return (*adds.debs, *adds.wheels)


def _lines(workspace: Workspace, graph: Graph) -> Mapping[Kind, tuple[Line, ...]]:
    """Return what all images ask for, what they stand on first."""
    requirements = read_tree_requirements(workspace)
    debs = (
        Line(item, str(graph.images[name].file), name, item.partition("=")[0])
        for name in graph.recipes
        for item in wanted_debs(workspace, graph, name)
    )
    python = (
        Line(str(line), line.where, name, line.name)
        for name in graph.locked
        for line in requirements[name]
    )
    return {Kind.DEBIAN: tuple(debs), Kind.PYTHON: tuple(python)}


@dataclass(frozen=True, slots=True)
class _Explaining:
    """What all packages are explained from."""

    graph: Graph
    lock: Lock
    lines: Mapping[Kind, tuple[Line, ...]]
    find_edges: FindEdges

    def explain(self, package: Package, image: str, platform: Platform) -> Held:
        """Say who holds a package that an image adds, and why they do."""
        kind = Kind.DEBIAN if isinstance(package, LockedDeb) else Kind.PYTHON
        holders = tuple(
            name
            for name in self.graph.descendants([image])
            if any(link.name == image for link in self.graph.chain(name))
        )
        chains: list[Chain] = []
        needed: set[Step] = set()
        for name in holders:
            ways, askers = self._reasons(package, kind, name, platform)
            chains += ways
            needed |= askers
        return Held(
            kind,
            package.name,
            package.version,
            _form(package),
            (package.file,),
            (platform,),
            image,
            holders,
            tuple(chains),
            tuple(sorted(needed)),
        )

    def _reasons(
        self, package: Package, kind: Kind, name: str, platform: Platform
    ) -> tuple[list[Chain], set[Step]]:
        """Return why an image holds a package: the ways to it, and who asks for it directly."""
        graph, lock = self.graph, self.lock
        if any(_is_unavailable(lock, link.name, platform) for link in graph.chain(name)):
            return [], set()
        own = [line for line in self.lines[kind] if line.image == name]
        edges = self.find_edges(kind, name, platform) if own else None
        pins = dict(_pins(graph, lock, name, platform, kind))
        if edges is None or pins.get(package.name, package.version) != package.version:
            return [], set()
        askers = {
            Step(asker, pins.get(asker, ""), need.text)
            for asker, needs in edges.items()
            for need in needs
            if need.name == package.name and asker in pins
        }
        return list(_chains(own, edges, pins, package.name)), askers


def _form(package: Package) -> str:
    if isinstance(package, LockedDeb):
        return "deb"
    return "wheel" if package.is_wheel else "sdist"


def _is_unavailable(lock: Lock, image: str, platform: Platform) -> bool:
    return bool(lock.images.get((image, platform), ImageLock()).unavailable)


def _pins(
    graph: Graph, lock: Lock, name: str, platform: Platform, kind: Kind
) -> Iterator[tuple[str, str]]:
    for image in graph.chain(name):
        adds = lock.images.get((image.name, platform), ImageLock())
        packages = adds.debs if kind is Kind.DEBIAN else adds.wheels
        yield from ((package.name, package.version) for package in packages)


def _chains(own: list[Line], edges: Edges, pins: Mapping[str, str], goal: str) -> Iterator[Chain]:
    """Yield the shortest chain from each line to the package, one that names it directly too."""
    for line in own:
        chain = find_chain(edges, line.name, goal)
        if chain is not None:
            first = Step(line.name, pins.get(line.name, ""), line.text)
            steps = (Step(need.name, pins.get(need.name, ""), need.text) for need in chain)
            yield Chain(line, (first, *steps))


def _joined(first: Held, more: Held) -> Held:
    """Join what was found for two platforms."""
    return replace(
        first,
        files=tuple(dict.fromkeys((*first.files, *more.files))),
        platforms=(*first.platforms, *more.platforms),
        chains=_clearest((*first.chains, *more.chains), _names_of),
        needed_by=tuple(sorted(_clearest((*first.needed_by, *more.needed_by), _version_of))),
    )


def _clearest(found: Iterable[T], same: Callable[[T], object]) -> tuple[T, ...]:
    """Leave one of each that is the same: that of which more is known, else the first."""
    best: dict[object, T] = {}
    for item in found:
        key = same(item)
        if key not in best or len(repr(item)) > len(repr(best[key])):
            best[key] = item
    return tuple(best.values())


def _names_of(chain: Chain) -> object:
    return chain.line, tuple(step.name for step in chain.steps)


def _version_of(step: Step) -> object:
    return step.name, step.version
