"""Resolving the whole tree into a lock: Debian first, then Python on what Debian brings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from orchestrator.errors import ResolutionError
from orchestrator.graph import Graph
from orchestrator.lockfile import ImageLock, Lock
from orchestrator.model import LockedDeb, LockedWheel, Platform, Workspace
from orchestrator.resolve.builds import BuildSources, ReadRequires, pin_builds, requires_of
from orchestrator.resolve.choosing import choose_files
from orchestrator.resolve.debian import DebianArchive, move_debs
from orchestrator.resolve.inputs import (
    asked_of,
    inputs_digest,
    other_python,
    read_constraints,
    read_tree_requirements,
    wanted_debs,
)
from orchestrator.resolve.python.offered import DistributionFile
from orchestrator.resolve.python.requirements import RequirementLine
from orchestrator.resolve.python.tree import Resolved, Tree, resolve_tree
from orchestrator.resolve.python.uv import Uv
from orchestrator.resolve.target import target_of_image


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Which versions may move though the previous lock's still satisfy.

    Of the `packages`, some are to have an exact version: Python's as lines, Debian's by name.
    """

    everything: bool = False
    packages: Collection[str] = ()
    exact_lines: tuple[RequirementLine, ...] = ()
    exact_debs: Mapping[str, str] = field(default_factory=dict)

    def moves(self, package: str) -> bool:
        """Tell whether a package is to be looked at anew."""
        return self.everything or package in self.packages

    def keep(self, pins: Mapping[str, str]) -> dict[str, str]:
        """Return the previous versions that are to be kept where possible."""
        if self.everything:
            return {}
        return {name: pin for name, pin in pins.items() if name not in self.packages}


@dataclass(slots=True)
class Resolution:
    """A new lock, and what a person should know of how it came about."""

    lock: Lock
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where packages are resolved from; `measure` gives the size of a file that has none.

    `read_requires` gives what an sdist asks for to be built.
    """

    archive: Callable[[], DebianArchive]
    uv: Callable[[], Uv]
    measure: Callable[[Iterable[DistributionFile]], Mapping[str, int]]
    progress: Callable[[str], None] = lambda _: None
    read_requires: ReadRequires = lambda *_: requires_of({})


def resolve_lock(
    workspace: Workspace, graph: Graph, sources: Sources, previous: Lock, upgrade: Upgrade
) -> Resolution:
    """Resolve every image for every platform of the settings.

    A child is resolved against what its ancestors hold and locks only what it adds. Versions of
    the previous lock are kept where they satisfy and are still offered.

    Raises:
        ResolutionError: An image's packages cannot be resolved, or contradict an ancestor's.
        FetchError: An index is out of reach or not to be trusted.
    """
    settings = workspace.settings
    if not graph.locked:
        return Resolution(Lock(settings.python.version, settings.debian.suite))
    asked = _Asked(
        workspace,
        graph,
        sources,
        previous,
        upgrade,
        read_tree_requirements(workspace),
        (*read_constraints(workspace), *upgrade.exact_lines),
    )
    platforms = settings.platforms
    images: dict[tuple[str, Platform], ImageLock] = {}
    notes: list[str] = []
    with ThreadPoolExecutor(len(platforms)) as pool:
        for locked, said in pool.map(asked.resolve, platforms):
            images |= locked
            notes += said
    dates = sources.archive().release_dates() if any(a.debs for a in images.values()) else {}
    inputs = {name: asked_of(workspace, graph, name, asked.lines[name]) for name in graph.locked}
    lock = Lock(settings.python.version, settings.debian.suite, dates, images, inputs)
    build_sources = BuildSources(sources.uv, sources.measure, sources.read_requires)
    lock, said = pin_builds(lock, graph, settings, previous, build_sources, upgrade.moves)
    return Resolution(lock, [*notes, *said])


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be resolved, for one platform after the other or several at once."""

    workspace: Workspace
    graph: Graph
    sources: Sources
    previous: Lock
    upgrade: Upgrade
    lines: Mapping[str, tuple[RequirementLine, ...]]
    constraints: tuple[RequirementLine, ...]

    def resolve(
        self, platform: Platform
    ) -> tuple[dict[tuple[str, Platform], ImageLock], list[str]]:
        """Return what each image adds on a platform, and what a person should know."""
        graph, previous, settings = self.graph, self.previous, self.workspace.settings
        self.sources.progress(f"Debian packages for {platform}")
        debs = _resolve_debian(
            self.workspace, graph, self.sources, platform, previous, self.upgrade
        )
        self.sources.progress(f"Python packages for {platform}")
        tree = self._tree(platform, debs)
        resolved = resolve_tree(tree, self.sources.uv())
        sources = self.sources
        wheels = choose_files(tree, resolved, previous, platform, sources.uv, sources.measure)
        notes: list[str] = []
        images: dict[tuple[str, Platform], ImageLock] = {}
        for name in graph.locked:
            inputs = inputs_digest(self.workspace, graph, name, self.lines[name])
            why = resolved.unavailable.get(name, "")
            kept = previous.images.get((name, platform)) if why else None
            if kept and kept.inputs == inputs and not kept.unavailable:
                notes.append(f"{name} for {platform} is left as it was locked: {why}")
                images[name, platform] = kept
                resolved.unavailable.pop(name)
            else:
                made = _image_lock(debs.get(name, ()), wheels.get(name, ()), inputs, why)
                images[name, platform] = replace(made, python=other_python(graph, settings, name))
        return images, [*notes, *_notes(resolved, platform)]

    def _tree(self, platform: Platform, debs: Mapping[str, tuple[LockedDeb, ...]]) -> Tree:
        targets = {
            name: target_of_image(self.graph, name, platform, debs) for name in self.graph.locked
        }
        pins = self.upgrade.keep(_previous_pins(self.previous, platform))
        moving = frozenset(self.upgrade.packages)
        return Tree(self.graph, self.lines, self.constraints, targets, pins, moving)


def _image_lock(
    debs: tuple[LockedDeb, ...], wheels: tuple[LockedWheel, ...], inputs: str, unavailable: str
) -> ImageLock:
    if unavailable:
        return ImageLock(inputs=inputs, unavailable=unavailable)
    return ImageLock(debs, wheels, inputs)


def _resolve_debian(
    workspace: Workspace,
    graph: Graph,
    sources: Sources,
    platform: Platform,
    previous: Lock,
    upgrade: Upgrade,
) -> dict[str, tuple[LockedDeb, ...]]:
    pins = {
        deb.name: deb.version
        for (_, locked_for), adds in previous.images.items()
        if locked_for == platform
        for deb in adds.debs
    }
    preferred = upgrade.keep(pins)
    moving = {name: upgrade.exact_debs.get(name, "") for name in upgrade.packages}
    added: dict[str, tuple[LockedDeb, ...]] = {}
    for name in graph.recipes:
        held = {deb.name: deb for image in graph.chain(name)[:-1] for deb in added[image.name]}
        wanted = wanted_debs(workspace, graph, name)
        missing = [item for item in wanted if item.partition("=")[0] not in held or "=" in item]
        if not missing:
            added[name] = ()
            continue
        try:
            universe = sources.archive().universe(platform)
            added[name] = move_debs(universe, missing, held, preferred, moving)
        except ResolutionError as error:
            error.file = error.file or str(graph.images[name].file)
            raise error.during(f"locking {name} for {platform}") from error
    return added


def _previous_pins(previous: Lock, platform: Platform) -> dict[str, str]:
    return {
        wheel.name: wheel.version
        for (_, locked_for), adds in previous.images.items()
        if locked_for == platform
        for wheel in adds.wheels
    }


def _notes(resolved: Resolved, platform: Platform) -> list[str]:
    notes = [
        f"{name} cannot be locked for {platform}: {why}"
        for name, why in resolved.unavailable.items()
    ]
    notes += [
        f"{name} has several versions on {platform}: {', '.join(versions)}"
        for name, versions in sorted(resolved.split.items())
    ]
    return notes
