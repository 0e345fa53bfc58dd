"""`orch explain` and `orch affected`: why an image is built, and what a file reaches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestrator.app.fingerprinting import needs_whole_context
from orchestrator.app.opened import Opened
from orchestrator.app.planning import Planned
from orchestrator.context import context_filter
from orchestrator.files import source_path
from orchestrator.model import Image
from orchestrator.plan import Step
from orchestrator.resolve.python.requirements import requirement_files


def chain_of(planned: Planned, name: str) -> tuple[Step, ...]:
    """Return the steps that an image's own step depends on, itself first, then its parents."""
    return tuple(
        planned.plan.steps[step] for step in reversed(planned.opened.graph.ancestors([name]))
    )


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
            if _reaches(opened, image, absolute):
                reached.add(image.name)
    return opened.graph.descendants(reached)


def _everyones(opened: Opened) -> set[Path]:
    settings = opened.workspace.settings
    constraints = requirement_files(opened.paths.root / settings.constraints)
    return {opened.paths.lock, settings.file, *constraints}


def _reaches(opened: Opened, image: Image, path: Path) -> bool:
    root = opened.workspace.root
    if image.build is None:
        return any(_holds(source, path) for source in _sources(opened, image))
    whole = needs_whole_context(opened, image)
    chosen = context_filter(opened.workspace, image, whole=whole)
    context = root / image.path
    steering = (root / image.file, root / f"{image.file}.dockerignore", context / ".dockerignore")
    if path in steering:
        return True
    return path.is_relative_to(context) and chosen.selects(path.relative_to(context).as_posix())


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
