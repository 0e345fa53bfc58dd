"""What is newer than the lock: within what is asked for, beyond it, and what holds it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from packaging.utils import canonicalize_name
from packaging.version import Version

from orchestrator.graph import Graph
from orchestrator.lockfile import Lock
from orchestrator.model import Platform, Workspace
from orchestrator.resolve.debian.version import version_key
from orchestrator.resolve.explanations import Kind, Line
from orchestrator.resolve.inputs import read_constraints, read_tree_requirements, wanted_debs
from orchestrator.resolve.lock import Sources
from orchestrator.resolve.objectors import find_objectors
from orchestrator.resolve.python.markers import marker_environment
from orchestrator.resolve.python.offered import Target
from orchestrator.resolve.python.uv import NoSolutionError, Uv
from orchestrator.resolve.target import target_of_image

_JOBS = 4


@dataclass(frozen=True, slots=True)
class Outdated:
    """A package that is newer somewhere than it is locked.

    `wanted` is what `orch lock --upgrade` would take, `latest` the newest that is offered for
    the image's Python and platform; it is empty where that is not known. `held_back_by` says why
    these two differ. `added_by` are the images that add it.
    """

    kind: Kind
    name: str
    platform: Platform
    locked: str
    wanted: str
    latest: str
    held_back_by: tuple[Line, ...]
    added_by: tuple[str, ...]


def find_outdated(
    workspace: Workspace, graph: Graph, sources: Sources, lock: Lock, upgraded: Lock
) -> tuple[Outdated, ...]:
    """Compare a lock with what `upgraded`, its upgrade, has and what the sources offer.

    Raises:
        FetchError: A source is out of reach.
    """
    rows: list[Outdated] = []
    for platform in workspace.settings.platforms:
        rows += _outdated_debs(workspace, graph, sources, lock, upgraded, platform)
        rows += _Python(workspace, graph, sources, lock, platform).outdated(upgraded)
    return tuple(sorted(rows, key=lambda row: (row.kind.value, row.name, row.platform)))


def _outdated_debs(
    workspace: Workspace,
    graph: Graph,
    sources: Sources,
    lock: Lock,
    upgraded: Lock,
    platform: Platform,
) -> Iterator[Outdated]:
    lines = [
        Line(item, str(graph.images[name].file), name, item.partition("=")[0])
        for name in graph.recipes
        for item in wanted_debs(workspace, graph, name)
    ]
    after = _versions(upgraded, platform, Kind.DEBIAN)
    for (name, locked), images in _versions(lock, platform, Kind.DEBIAN).items():
        offered = sources.archive().universe(platform).versions(name)
        latest = offered[0].version if offered else ""
        wanted = _wanted(after, name, locked, version_key)
        newest = max((locked, wanted, *filter(None, [latest])), key=version_key)
        if newest != locked:
            pins = [line for line in lines if line.name == name and "=" in line.text]
            held = tuple(pins) if latest and latest != wanted else ()
            yield Outdated(Kind.DEBIAN, name, platform, locked, wanted, latest, held, images)


@dataclass(frozen=True, slots=True)
class _Python:
    """The Python part, for one platform."""

    workspace: Workspace
    graph: Graph
    sources: Sources
    lock: Lock
    platform: Platform

    def outdated(self, upgraded: Lock) -> Iterator[Outdated]:
        before = _versions(self.lock, self.platform, Kind.PYTHON)
        if not before:
            return
        after = _versions(upgraded, self.platform, Kind.PYTHON)
        target = self._target({image for images in before.values() for image in images})
        latest = _latest(self.sources.uv(), sorted({name for name, _ in before}), target)
        rows = [
            (name, locked, _wanted(after, name, locked, Version), latest.get(name, ""), images)
            for (name, locked), images in before.items()
        ]
        rows = [row for row in rows if _is_newer(row[2], row[1]) or _is_newer(row[3], row[1])]
        beyond = {row[0]: row[3] for row in rows if _is_newer(row[3], row[2])}
        held = self._holders(beyond, dict(after.keys()), target)
        for name, locked, wanted, newest, images in rows:
            why = held.get(name, ())
            yield Outdated(Kind.PYTHON, name, self.platform, locked, wanted, newest, why, images)

    def _target(self, images: Iterable[str]) -> Target:
        """Return the target of an image that holds packages; the C library is one for all roots."""
        debs = {
            name: adds.debs for (name, on), adds in self.lock.images.items() if on == self.platform
        }
        return target_of_image(self.graph, min(images), self.platform, debs)

    def _holders(
        self, latest: Mapping[str, str], wanted: Mapping[str, str], target: Target
    ) -> dict[str, tuple[Line, ...]]:
        """Return what keeps each of some projects from its latest version."""
        environment = marker_environment(target.python, self.platform)
        requirements = read_tree_requirements(self.workspace)
        asked = {
            name: [line for line in requirements[name] if line.applies(environment)]
            for name in self.graph.locked
            if not self._is_unavailable(name)
        }
        constraints = [
            line for line in read_constraints(self.workspace) if line.applies(environment)
        ]
        placed = [(line, name) for name, lines in asked.items() for line in lines]
        placed += [(line, "") for line in constraints]
        held: dict[str, tuple[Line, ...]] = {}
        for name, version in latest.items():
            held[name] = tuple(
                Line(str(line), line.where, image, line.name)
                for line, image in placed
                if line.name == name and not line.allows(version)
            )
        indirect = {name: version for name, version in latest.items() if not held[name]}
        lines = [line for lines in asked.values() for line in lines]
        return held | find_objectors(self.sources.uv(), indirect, lines, wanted, target)

    def _is_unavailable(self, name: str) -> bool:
        adds = self.lock.images.get((name, self.platform))
        return adds is None or bool(adds.unavailable)


def _latest(uv: Uv, names: list[str], target: Target) -> dict[str, str]:
    """Return the newest version of each project; asked for together, else one by one."""

    def ask(some: list[str]) -> dict[str, str]:
        try:
            return {canonicalize_name(k): v for k, v in uv.find_latest(some, target).items()}
        except NoSolutionError:
            return {}

    found = ask(names)
    if found or not names:
        return found
    with ThreadPoolExecutor(_JOBS) as pool:
        for one in pool.map(ask, [[name] for name in names]):
            found |= one
    return found


def _versions(lock: Lock, platform: Platform, kind: Kind) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the images that add each version of each package."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for (image, locked_for), adds in sorted(lock.images.items()):
        if locked_for == platform:
            for package in adds.debs if kind is Kind.DEBIAN else adds.wheels:
                key = package.name, package.version
                found[key] = (*found.get(key, ()), image)
    return found


def _wanted(
    after: Mapping[tuple[str, str], object], name: str, locked: str, order: Callable[[str], object]
) -> str:
    """Return the version an upgrade takes; the one that is locked where it needs none."""
    if (name, locked) in after:
        return locked
    return max((v for key, v in after if key == name), key=order, default=locked)  # type: ignore[arg-type]


def _is_newer(version: str, than: str) -> bool:
    return bool(version) and Version(version) > Version(than)
