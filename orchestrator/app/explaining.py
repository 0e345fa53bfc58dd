"""`orch explain` and `orch affected`: why an image is built, and what a file reaches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestrator.app.opened import Opened
from orchestrator.app.planning import Planned
from orchestrator.files import source_path
from orchestrator.model import Image
from orchestrator.plan import Step
from orchestrator.resolve.python.requirements import requirement_files


def chain_of(planned: Planned, name: str) -> tuple[Step, ...]:
    """Return the steps that an image's own step depends on, itself first, then its parents."""
    chain = reversed(planned.opened.graph.chain(name))
    return tuple(planned.plan.steps[image.name] for image in chain)


def affected(opened: Opened, paths: Iterable[Path]) -> tuple[str, ...]:
    """Return the images that files reach, directly or through what they stand on.

    Paths need not exist: what was deleted reaches what it was part of. The lock, the settings
    and the constraints reach every image; `orch plan` tells more exactly.
    """
    reached: set[str] = set()
    for path in paths:
        given = Path(os.path.normpath(path.absolute()))
        absolute = given.parent.resolve() / given.name
        if absolute in _everyones(opened):
            return tuple(opened.graph.images)
        for image in opened.graph.images.values():
            if any(_holds(source, absolute) for source in _sources(opened, image)):
                reached.add(image.name)
    return opened.graph.descendants(reached)


def _everyones(opened: Opened) -> set[Path]:
    settings = opened.workspace.settings
    constraints = requirement_files(opened.paths.root / settings.constraints)
    return {opened.paths.lock, settings.file, *constraints}


def _sources(opened: Opened, image: Image) -> Iterator[Path]:
    """Yield the files and folders that an image is made from."""
    root = opened.workspace.root
    yield root / image.file
    for name in image.recipe.requirements or ("requirements.txt",):  # which would be taken unasked
        yield from requirement_files(root / image.path / name)
    for copy in image.recipe.files:
        yield source_path(opened.workspace, image, copy)


def _holds(source: Path, path: Path) -> bool:
    return path == source or source in path.parents
