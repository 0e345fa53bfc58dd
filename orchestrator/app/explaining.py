"""`orch explain` and `orch affected`: why an image is built, and what a file reaches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from orchestrator.app.fingerprinting import needs_whole_context
from orchestrator.app.opened import Opened, read_lock
from orchestrator.app.planning import Planned
from orchestrator.context import is_folder
from orchestrator.contextfilter import context_filter
from orchestrator.errors import OrchError
from orchestrator.externals import pins_of
from orchestrator.files import source_path
from orchestrator.git import NoComparisonError, committed_text
from orchestrator.lockfile import ImageLock, Lock, parse_lock
from orchestrator.model import Image
from orchestrator.plan import Step
from orchestrator.resolve.python.requirements import names_that_differ, requirement_files
from orchestrator.resolve.slices import pinned_in, what_matters
from orchestrator.texts import read_text


def chain_of(planned: Planned, name: str) -> tuple[Step, ...]:
    """Return the steps that an image's own step depends on, itself first, then its parents."""
    return tuple(
        planned.plan.steps[step] for step in reversed(planned.opened.graph.ancestors([name]))
    )


def affected(opened: Opened, paths: Iterable[Path], warn: Callable[[str], None]) -> tuple[str, ...]:
    """Return the images that files reach, directly or through what they stand on.

    Paths need not exist: what was deleted reaches what it was part of. The settings reach every
    image. Of the lock and the constraints it counts what differs from the last commit; where
    that is not known they reach every recipe, and `warn` is told why.
    """
    reached: set[str] = set()
    for path in paths:
        given = Path(os.path.normpath(path.absolute()))
        absolute = given.parent.resolve() / given.name
        if absolute == opened.workspace.settings.file:
            return tuple(opened.graph.images)
        reached |= _reached_by_pins(opened, absolute, warn)
        spared = _spared_by_slices(opened, absolute)
        for image in opened.graph.images.values():
            if image.name not in spared and _reaches(opened, image, absolute):
                reached.add(image.name)
    return opened.graph.descendants(reached)


def _reached_by_pins(opened: Opened, path: Path, warn: Callable[[str], None]) -> set[str]:
    """Return the images whose packages a file pins or bounds otherwise than it was committed."""
    constraints = opened.paths.root / opened.workspace.settings.constraints
    if path != opened.paths.lock and path not in requirement_files(constraints):
        return set()
    try:
        before, now, lock = committed_text(path), read_text(path), read_lock(opened)
        if before == now:
            raise NoComparisonError("it is as it was committed, so what changed is not known")
        if path == opened.paths.lock:
            old = parse_lock(before)
            reached = _pinned_otherwise(old, lock) & opened.graph.takes_wheels
            return reached | _on_moved_bases(opened, old, lock)
        names = names_that_differ(before, now, path.name)
        holding = {name for (name, _), adds in lock.images.items() if names & _projects(adds)}
        return holding & opened.graph.takes_wheels
    except (OrchError, OSError, UnicodeDecodeError) as error:
        warn(f"{path.name}: {error}; every recipe's image is listed")
        return set(opened.graph.recipes)


def _spared_by_slices(opened: Opened, path: Path) -> set[str]:
    """Return the images whose slice of the constraints is as it was at the last commit."""
    if path != opened.paths.root / opened.workspace.settings.constraints:
        return set()
    try:
        before, now, lock = committed_text(path), read_text(path), read_lock(opened)
        names = names_that_differ(before, now, path.name)
        pinned = pinned_in(before) & pinned_in(now)
    except (OrchError, OSError, UnicodeDecodeError):  # which is warned of already
        return set()
    return {
        name
        for name, image in opened.graph.images.items()
        if image.build and _is_sliced_without(opened, lock, name, names, pinned)
    }


def _is_sliced_without(
    opened: Opened, lock: Lock, name: str, names: frozenset[str], pinned: frozenset[str]
) -> bool:
    file = Path(opened.workspace.settings.constraints).name
    of_platforms = [
        what_matters(opened.graph, lock, platform, name, file, pinned)
        for platform in opened.workspace.settings.platforms
    ]
    return not any(matters.whole or matters.projects & names for matters in of_platforms)


def _pinned_otherwise(before: Lock, now: Lock) -> set[str]:
    """Return the images that add other packages, on any platform."""
    return {
        key[0]
        for key in before.images.keys() | now.images.keys()
        if _packages(before.images.get(key)) != _packages(now.images.get(key))
    }


def _on_moved_bases(opened: Opened, before: Lock, now: Lock) -> set[str]:
    """Return the images that name an external image which is pinned otherwise."""
    graph = opened.graph
    return {
        name
        for name in graph.images
        if pins_of(graph, before.externals, name) != pins_of(graph, now.externals, name)
    }


def _packages(adds: ImageLock | None) -> ImageLock | None:
    return adds and replace(adds, inputs="")


def _projects(adds: ImageLock) -> set[str]:
    return {wheel.name for wheel in adds.wheels}


def _reaches(opened: Opened, image: Image, path: Path) -> bool:
    root = opened.workspace.root
    if image.build is None:
        return any(_holds(source, path) for source in _sources(opened, image))
    whole = needs_whole_context(opened, image)
    chosen = context_filter(opened.workspace, image, whole=whole)
    context = root / image.path
    steering = (root / image.file, root / f"{image.file}.dockerignore", context / ".dockerignore")
    named = image.build.settings.options.contexts.values()
    folders = [Path(os.path.normpath(root / place)) for place in named if is_folder(place)]
    if path in steering or any(_holds(folder, path) for folder in folders):
        return True
    if image.name in opened.graph.takes_wheels and path in _requirements(opened, image):
        return True
    return path.is_relative_to(context) and chosen.selects(path.relative_to(context).as_posix())


def _sources(opened: Opened, image: Image) -> Iterator[Path]:
    """Yield the files and folders that an image is made from."""
    root = opened.workspace.root
    yield root / image.file
    yield from _requirements(opened, image)
    for copy in image.recipe.files:
        yield source_path(opened.workspace, image, copy)


def _requirements(opened: Opened, image: Image) -> Iterator[Path]:
    unasked = () if image.build else ("requirements.txt",)
    for name in image.recipe.requirements or unasked:
        yield from requirement_files(opened.workspace.root / image.path / name)


def _holds(source: Path, path: Path) -> bool:
    return path == source or source in path.parents
