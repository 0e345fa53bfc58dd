"""The files of a service, copied for another one of its shape."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.app.new_files import NewFile
from orchestrator.app.present import list_files
from orchestrator.model import Image
from orchestrator.recipe import RECIPE_FILE, REQUIREMENTS_FILE
from orchestrator.templates.copies import (
    Renaming,
    other_recipe,
    projects_named,
    without_projects,
)

_PLACES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Ground:
    """What a copy stands on: the Python projects that this asks for, and those that it lacks.

    What it lacks is what the service that is copied has from its own base.
    """

    parent: str
    brought: frozenset[str]
    lacking: frozenset[str]


@dataclass(frozen=True, slots=True)
class Copied:
    """Files by their paths in the folder of the copy, and what of them a person has to look at."""

    files: tuple[NewFile, ...]
    notes: tuple[str, ...]


def copy_service(root: Path, like: Image, name: str, ground: Ground) -> Copied:
    """Return a service's files as those of another: its name, what it stands on, its summary.

    What git ignores is not copied, and links are not. Requirements that the new base brings are
    left out; those that the old one brought, and that the files name, are put in.

    Raises:
        OSError: A file cannot be read.
    """
    folder = root / like.path
    renaming = Renaming(like.name, name)
    paths = list_files(folder)
    links = [path for path in paths if (folder / path).is_symlink()]
    contents = {
        path: _renamed(renaming, path, (folder / path).read_bytes())
        for path in paths
        if path not in links
    }
    texts = {path: content for path, content in contents.items() if isinstance(content, str)}
    texts, missed = _on_other_ground(like, name, ground, texts)
    files = tuple(
        NewFile(
            renaming.path(path),
            content.encode() if isinstance(content, str) else content,
            os.access(folder / path, os.X_OK),
        )
        for path, content in (contents | texts).items()
    )
    left = [note for path, text in texts.items() for note in _left(renaming, path, text)]
    unlinked = [f"{renaming.path(path)}: a link, which was not copied" for path in links]
    return Copied(files, (*unlinked, *left, *missed))


def _renamed(renaming: Renaming, path: str, content: bytes) -> str | bytes:
    try:
        return renaming.text(path, content.decode("utf-8"))
    except UnicodeDecodeError:
        return content


def _on_other_ground(
    like: Image, name: str, ground: Ground, texts: dict[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Return the texts for what the copy stands on, and what they may lack there."""
    if like.build is not None:
        return texts, []
    asking = [str(PurePosixPath(path)) for path in like.recipe.requirements]
    named = projects_named(ground.lacking, texts.values())
    found = dict(texts)
    found[RECIPE_FILE] = other_recipe(
        texts[RECIPE_FILE], ground.parent, f"{name}: say here what it does"
    )
    for path in {*asking} & {*texts}:
        found[path] = without_projects(texts[path], ground.brought)
    if named:
        first = asking[0] if asking else REQUIREMENTS_FILE
        found[first] = found.get(first, "") + "".join(f"{project}\n" for project in named)
    others = ", ".join(sorted(ground.lacking - {*named}))
    said = f"{REQUIREMENTS_FILE}: {ground.parent} does not bring {others}"
    return found, [said] if others else []


def _left(renaming: Renaming, path: str, text: str) -> Iterator[str]:
    lines = list(renaming.left(text))
    shown = ", ".join(map(str, lines[:_PLACES_SHOWN]))
    more = f" and {len(lines) - _PLACES_SHOWN} more" if len(lines) > _PLACES_SHOWN else ""
    if lines:
        yield f"{renaming.path(path)}: still says {renaming.old} in line {shown}{more}"
