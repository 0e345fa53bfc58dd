"""The files of a service, copied for another one of its shape."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath

from orchestrator.app.new_files import NewFile
from orchestrator.app.opened import Opened
from orchestrator.app.present import list_files
from orchestrator.model import Image
from orchestrator.recipe import RECIPE_FILE
from orchestrator.templates.copies import Renaming, other_recipe, without_projects

_PLACES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Copied:
    """Files by their paths in the folder of the copy, and what of them a person has to look at."""

    files: tuple[NewFile, ...]
    notes: tuple[str, ...]


def copy_service(
    opened: Opened, like: Image, name: str, parent: str, brought: Collection[str]
) -> Copied:
    """Return a service's files as those of another: its name, what it stands on, its summary.

    What git ignores is not copied, and links are not. Of its requirements those are left out that
    the new parent has `brought`.

    Raises:
        OSError: A file cannot be read.
    """
    folder = opened.paths.root / like.path
    renaming = Renaming(like.name, name)
    files, notes = [], []
    for path in list_files(folder):
        source = folder / path
        if source.is_symlink():
            notes.append(f"{renaming.path(path)}: a link, which was not copied")
            continue
        content = source.read_bytes()
        try:
            text = renaming.text(path, content.decode("utf-8"))
        except UnicodeDecodeError:
            text = None
        if text is not None:
            text = _adapted(like, path, text, parent, f"{name}: say here what it does", brought)
            notes += _left(renaming, renaming.path(path), text)
            content = text.encode("utf-8")
        files.append(NewFile(renaming.path(path), content, os.access(source, os.X_OK)))
    return Copied(tuple(files), tuple(notes))


def _adapted(
    like: Image, path: str, text: str, parent: str, summary: str, brought: Collection[str]
) -> str:
    if path == RECIPE_FILE and like.build is None:
        return other_recipe(text, parent, summary)
    is_asked = path in {str(PurePosixPath(name)) for name in like.recipe.requirements}
    return without_projects(text, brought) if is_asked else text


def _left(renaming: Renaming, path: str, text: str) -> list[str]:
    lines = list(renaming.left(text))
    shown = ", ".join(map(str, lines[:_PLACES_SHOWN]))
    more = f" and {len(lines) - _PLACES_SHOWN} more" if len(lines) > _PLACES_SHOWN else ""
    return [f"{path}: still says {renaming.old} in line {shown}{more}"] if lines else []
