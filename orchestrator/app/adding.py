"""`orch new`: another base or service, where those of its kind lie."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from orchestrator.app.copying import Ground, copy_service
from orchestrator.app.new_files import NewFile, new_files, write_new_files
from orchestrator.app.opened import Opened
from orchestrator.discovery.definitions import as_name
from orchestrator.errors import WorkspaceError
from orchestrator.graph import DEBIAN_PREFIX
from orchestrator.ignorefile import has_wildcards
from orchestrator.model import Image, ImageKind, is_image_name
from orchestrator.resolve.python.requirements import read_requirements
from orchestrator.templates.images import (
    SERVICE_NEEDS,
    base_files,
    debian_base_files,
    service_files,
)

_NAMES_SHOWN = 12
_REFERENCE = re.compile(r"[\w./-]+[:@][\w.:@-]+|[\w.-]+(/[\w.-]+)+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; `like` names the service that a new one is to be like, if one is."""

    kind: ImageKind
    name: str
    parent: str = ""
    like: str = ""


@dataclass(frozen=True, slots=True)
class Addition:
    """An image that is to be added: what it stands on, its files, and what is to be said."""

    wanted: Wanted
    parent: str
    files: tuple[NewFile, ...]
    notes: tuple[str, ...] = ()


def plan_addition(opened: Opened, wanted: Wanted) -> Addition:
    """Return the files of a new base or service; nothing is written.

    Raises:
        WorkspaceError: The name cannot be given, what it stands on or is like is not known, or the
            settings have no place for it.
    """
    _check_name(opened, wanted.name)
    like = _known(opened, wanted.like, ImageKind.SERVICE) if wanted.like else None
    parent = _parent(opened, wanted, like)
    folder = _folder(opened, wanted, like)
    files, left = _files(opened, wanted, parent, like)
    placed = tuple(
        NewFile(f"{folder}/{file.path}", file.content, file.is_executable) for file in files
    )
    notes = (*_warnings(opened, parent), *(f"{folder}/{note}" for note in left))
    return Addition(wanted, parent, placed, notes)


def _files(
    opened: Opened, wanted: Wanted, parent: str, like: Image | None
) -> tuple[tuple[NewFile, ...], tuple[str, ...]]:
    """Return the files by their paths in the image's folder, and what is to be said of them."""
    if like is None:
        return new_files(_texts(opened, wanted, parent)), ()
    brought = _projects(opened, parent)
    lacking = _projects(opened, opened.graph.below.get(like.name, "")) - brought
    ground = Ground(parent, brought, lacking - _own_projects(opened, like))
    copied = copy_service(opened.paths.root, like, wanted.name, ground)
    return copied.files, copied.notes


def write_addition(opened: Opened, addition: Addition) -> None:
    """Write the files of a new image.

    Raises:
        WorkspaceError: One is there already.
        OrchError: The disk is full, or a folder cannot be written to.
    """
    write_new_files(opened.paths.root, addition.files)


def _check_name(opened: Opened, name: str) -> None:
    if not is_image_name(name):
        hint = (
            "use lower-case letters, digits and single separators (., _, -), "
            f"for example {as_name(name)!r}"
        )
        raise WorkspaceError(f"{name!r} cannot name an image", hint=hint)
    if image := opened.graph.images.get(name):
        hint = "choose another name; orch graph shows those that are taken"
        message = f"there is an image {name!r} already"
        raise WorkspaceError(message, file=opened.paths.root / image.file, hint=hint)


def _known(opened: Opened, name: str, kind: ImageKind) -> Image:
    """Return an image of a kind by its name."""
    images = opened.graph.images
    known = [image.name for image in images.values() if image.kind is kind]
    if name in known:
        return images[name]
    near = difflib.get_close_matches(name, known, n=1)
    some = ", ".join(known[:_NAMES_SHOWN]) + (", ..." if len(known) > _NAMES_SHOWN else "")
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {some or 'none'}"
    if name in images:
        message = f"{name!r} is no {kind.value}"
        raise WorkspaceError(message, file=opened.paths.root / images[name].file, hint=hint)
    raise WorkspaceError(f"no {kind.value} is named {name!r}", hint=hint)


def _parent(opened: Opened, wanted: Wanted, like: Image | None) -> str:
    if not wanted.parent and like:
        return opened.graph.below.get(like.name, like.recipe.parent)
    if wanted.kind is ImageKind.BASE and _REFERENCE.fullmatch(wanted.parent):
        suite = opened.workspace.settings.debian.suite
        if wanted.parent.startswith(DEBIAN_PREFIX) and wanted.parent != DEBIAN_PREFIX + suite:
            hint = f"--from {DEBIAN_PREFIX}{suite}, or change [debian] suite"
            raise WorkspaceError(f"the workspace's Debian suite is {suite}", hint=hint)
        return wanted.parent
    if like and like.build and wanted.parent != opened.graph.below.get(like.name):
        hint = "leave --from out, and edit the FROM of the copy"
        message = f"{like.name} is defined by a Dockerfile, whose FROM is not changed"
        raise WorkspaceError(message, file=opened.paths.root / like.file, hint=hint)
    return _known(opened, wanted.parent, ImageKind.BASE).name


def _folder(opened: Opened, wanted: Wanted, like: Image | None) -> PurePosixPath:
    """Return the folder of a new image, from the root: below the first glob that takes it."""
    settings = opened.workspace.settings
    is_base = wanted.kind is ImageKind.BASE
    places = list(_places(settings.bases if is_base else settings.services))
    if like and like.path.parent in places:
        places.insert(0, like.path.parent)
    if not places:
        key = "bases" if is_base else "services"
        hint = f'add a glob such as "{"base" if is_base else "services"}/*" to {key}'
        message = f"{key} names no folder whose subfolders are all images"
        raise WorkspaceError(message, file=settings.file, hint=hint)
    folder = places[0] / wanted.name
    path = opened.paths.root / folder
    if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
        hint = "choose another name, or move it away"
        raise WorkspaceError("is there already", file=path, hint=hint)
    return folder


def _places(globs: tuple[str, ...]) -> Iterator[PurePosixPath]:
    for glob in map(PurePosixPath, globs):
        if glob.name == "*" and not has_wildcards(str(glob.parent)):
            yield glob.parent


def _texts(opened: Opened, wanted: Wanted, parent: str) -> dict[str, str]:
    settings, name = opened.workspace.settings, wanted.name
    if wanted.kind is ImageKind.SERVICE:
        brought = _projects(opened, parent)
        needed = [project for project in SERVICE_NEEDS if project not in brought]
        summary = f"{name}: say here what it does"
        return service_files(name, parent, summary, needed, settings.python.venv)
    if parent.startswith(DEBIAN_PREFIX):
        return debian_base_files(settings.debian.suite, settings.python.version)
    return base_files(parent, f"{name}: say here which services it is for")


def _projects(opened: Opened, parent: str) -> frozenset[str]:
    """Return the Python projects that an image, and all it stands on, asks for."""
    chain = opened.graph.chain(parent) if parent in opened.graph.images else ()
    return frozenset(name for image in chain for name in _own_projects(opened, image))


def _own_projects(opened: Opened, image: Image) -> frozenset[str]:
    root = opened.paths.root
    return frozenset(
        line.name
        for file in image.recipe.requirements
        for line in read_requirements(root / image.path / file, root)
    )


def _warnings(opened: Opened, parent: str) -> Iterator[str]:
    image = opened.graph.images.get(parent)
    if image and image.recipe.deprecated:
        yield f"{parent} is deprecated: {image.recipe.deprecated}"
