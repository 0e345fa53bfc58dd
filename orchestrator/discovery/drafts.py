"""Images as a repository's files give them: read one by one, named, each in its context."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from orchestrator.discovery.compose import ComposeBuild
from orchestrator.discovery.definitions import (
    DefinitionFile,
    as_name,
    choose_names,
    is_nameless,
    named_folder,
)
from orchestrator.errors import OrchError, WorkspaceError
from orchestrator.ignorefile import clean, has_wildcards
from orchestrator.model import ContextSource, Image, ImageKind, ImageSettings, Settings
from orchestrator.workspace import read_dockerfile_image, read_recipe_image

_PLACES_SHOWN = 3
_NO_VALUE = re.compile(r": (\w+) has no value$")


@dataclass(frozen=True, slots=True)
class Undecided:
    """What files do not say; `setting` is what would, as lines of the settings, or empty.

    `image` is the name of the image that is left out for it, if one is.
    """

    file: str
    line: int | None
    message: str
    hint: str = ""
    setting: str = ""
    image: str = ""

    @property
    def place(self) -> str:
        """Return the file and, where it is known, the line."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Draft:
    """An image of the proposal; `folder` named it, `builds` are services that build it."""

    image: Image
    folder: PurePosixPath
    builds: tuple[ComposeBuild, ...] = ()

    @property
    def name(self) -> str:
        """Return the image's name."""
        return self.image.name


@dataclass(frozen=True, slots=True)
class _Way:
    """One way in which a file makes an image; `label` names it where the folder cannot."""

    file: DefinitionFile
    builds: tuple[ComposeBuild, ...] = ()
    label: str = ""

    @property
    def folder(self) -> PurePosixPath:
        """Return the folder that the image is named after."""
        if self.label:
            return PurePosixPath(self.label)
        folder = self.file.path.parent
        if self.builds and is_nameless(folder) and not named_folder(folder).name:
            return self.builds[0].context
        return folder


def read_drafts(
    settings: Settings,
    files: Sequence[DefinitionFile],
    builds: Iterable[ComposeBuild],
    folders: Collection[PurePosixPath],
) -> tuple[list[Draft], list[Undecided]]:
    """Read what each file makes; what cannot be read is undecided.

    `folders` are those that hold, themselves or below, a file that defines nothing.
    """
    recipes = [file for file in files if file.is_recipe]
    drafts, undecided = _read_recipes(settings, recipes)
    defined = {file.path.parent for file in recipes}
    ways = [
        way
        for file in files
        if not file.is_recipe and (file.variant or file.path.parent not in defined)
        for way in _ways(file, builds)
    ]
    variants = ["" if way.label else way.file.variant for way in ways]
    wanted = [(way.folder, variant) for way, variant in zip(ways, variants, strict=True)]
    root = settings.file.parent
    names = choose_names(wanted, root.name, [draft.name for draft in drafts])
    for way, name in zip(ways, names, strict=True):
        try:
            image = _read(settings, way, name, folders)
        except OrchError as error:
            undecided.append(undecided_of(root, error, way.file.path, name))
        else:
            drafts.append(Draft(image, way.folder, way.builds))
    return drafts, undecided


def _read_recipes(
    settings: Settings, files: Iterable[DefinitionFile]
) -> tuple[list[Draft], list[Undecided]]:
    root = settings.file.parent
    drafts: dict[str, Draft] = {}
    undecided = []
    for file in files:
        folder = file.path.parent
        try:
            image = read_recipe_image(root, root / folder, ImageKind.SERVICE)
            if image.name in drafts:
                message = f"{drafts[image.name].folder} makes an image {image.name!r} too"
                raise WorkspaceError(message, file=root / file.path, hint="rename a folder")
        except OrchError as error:
            undecided.append(undecided_of(root, error, file.path, folder.name))
        else:
            drafts[image.name] = Draft(image, folder)
    return list(drafts.values()), undecided


def undecided_of(
    root: Path, error: OrchError, file: PurePosixPath, name: str, setting: str = ""
) -> Undecided:
    """Turn an error of reading an image into what is to be decided."""
    at = os.path.relpath(error.file, root) if error.file else str(file)
    if missing := _NO_VALUE.search(error.message):
        dockerfile = "" if file.name == "Dockerfile" else f'dockerfile = "{file.name}"\n'
        place = f'path = "{file.parent.as_posix()}"\n{dockerfile}'
        setting = f'{place}build-args = {{ {missing[1]} = "..." }}'
    table = f"[image.{_key(name)}]\n{setting}" if setting else ""
    return Undecided(at, error.line, error.message, error.hint, table, name)


def join_alike(items: Iterable[Undecided]) -> Iterator[tuple[str, Undecided]]:
    """Yield what is undecided, of things alike the first one, each with the places of all."""
    alike: dict[tuple[str, str, str], list[Undecided]] = {}
    for item in items:
        alike.setdefault((item.message, item.hint, item.setting), []).append(item)
    for same in alike.values():
        more = f" and {len(same) - _PLACES_SHOWN} more" if len(same) > _PLACES_SHOWN else ""
        yield ", ".join(item.place for item in same[:_PLACES_SHOWN]) + more, same[0]


def _key(name: str) -> str:
    return f'"{name}"' if "." in name else name


def _ways(file: DefinitionFile, builds: Iterable[ComposeBuild]) -> Iterator[_Way]:
    """Yield the ways in which a file is built: one, unless Compose knows several."""
    ways: dict[object, list[ComposeBuild]] = {}
    for build in builds:
        if build.dockerfile == file.path:
            ways.setdefault(build.way, []).append(build)
    if len(ways) < 2:
        yield _Way(file, tuple(next(iter(ways.values()), ())))
        return
    for same in ways.values():
        repository = same[0].image.rpartition("/")[2].partition(":")[0]
        yield _Way(file, tuple(same), as_name(repository or same[0].service))


def _read(settings: Settings, way: _Way, name: str, folders: Collection[PurePosixPath]) -> Image:
    root, path = settings.file.parent, way.file.path
    if way.file.is_template:
        hint = "render it, or write a Dockerfile whose ARG lines take its variables"
        raise OrchError(
            "is a template, which defines no image as it is", file=root / path, hint=hint
        )
    build = way.builds[0] if way.builds else None
    table = ImageSettings(
        path=path.parent.as_posix(),
        dockerfile=path.name,
        target=build.target if build else "",
        build_args=build.args if build else {},
    )
    image = read_dockerfile_image(root, settings, name, ImageKind.SERVICE, table)
    sources = image.build.uses.sources if image.build else ()
    context = build.context if build else _context(root, path.parent, sources, folders)
    relative = posixpath.relpath(path.as_posix(), context.as_posix())
    return in_context(image, replace(table, path=context.as_posix(), dockerfile=relative))


def in_context(image: Image, table: ImageSettings) -> Image:
    """Return a Dockerfile's image with other settings that change nothing of what it uses."""
    build = replace(image.build, settings=table) if image.build else None
    return replace(image, path=PurePosixPath(table.path), build=build)


def _context(
    root: Path,
    own: PurePosixPath,
    sources: Iterable[ContextSource],
    folders: Collection[PurePosixPath],
) -> PurePosixPath:
    """Guess the folder of the context: the nearest in which every source lies.

    A folder of Dockerfiles alone is none. Where no folder has all, the Dockerfile's own is taken.
    """
    cleaned = [clean(item.path) for item in sources]
    wanted = [path for path in cleaned if not has_wildcards(path)]
    for folder in (own, *own.parents):
        is_bare = is_nameless(folder) and folder.name and folder not in folders
        if cleaned and is_bare:
            continue
        if all(os.path.lexists(root / folder / path) for path in wanted):
            return folder
    return own


def is_plain(image: Image) -> bool:
    """Tell whether a folder makes the image by its own name, without a table for it."""
    if image.build is None:
        return True
    named = image.path.name == image.name and not has_wildcards(str(image.path))
    return named and image.file == image.path / "Dockerfile"
