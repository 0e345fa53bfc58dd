"""The files of a repository that define images, and the names their paths give them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import PurePosixPath

from orchestrator.model import is_image_name
from orchestrator.recipe import RECIPE_FILE

_NAMES = ("dockerfile", "containerfile")
_NO_DOCKERFILE = frozenset(
    {".bak", ".dockerignore", ".json", ".lock", ".log", ".md", ".orig", ".py", ".rej", ".sh"}
    | {".swp", ".txt", ".yaml", ".yml"}
)
_TEMPLATE = frozenset(
    {
        ".erb",
        ".gotmpl",
        ".in",
        ".j2",
        ".jinja",
        ".jinja2",
        ".mustache",
        ".template",
        ".tmpl",
        ".tpl",
    }
)
_NAMELESS = frozenset(
    {"", ".devcontainer", ".docker", "build", "ci", "container", "containers", "deploy"}
    | {"deployment", "docker", "dockerfile", "dockerfiles", "images"}
)
"""Folders whose own name says nothing about the image that a Dockerfile in them makes."""

_SAYS_NOTHING = re.compile(r"\..*|[^/]*\.(md|rst)|(LICEN[CS]E|COPYING|NOTICE|README)[^/]*")
"""What a repository begins with before there is anything in it: hidden files, a licence."""


@dataclass(frozen=True, slots=True)
class DefinitionFile:
    """A file that defines an image; paths are from the root.

    `variant` is what tells a Dockerfile from others in its folder, `gpu` of `Dockerfile.gpu`.
    """

    path: PurePosixPath
    variant: str = ""

    @property
    def is_recipe(self) -> bool:
        """Tell whether the file is a recipe."""
        return self.path.name == RECIPE_FILE

    @property
    def is_template(self) -> bool:
        """Tell whether the file becomes a Dockerfile only by rendering."""
        return self.path.suffix in _TEMPLATE


def find_definitions(paths: Iterable[str]) -> tuple[DefinitionFile, ...]:
    """Return the recipes and Dockerfiles among paths, sorted by path.

    Dockerfiles are `Dockerfile`, `Dockerfile.NAME`, `NAME.Dockerfile`, and so with Containerfile.
    """
    found = (_definition(PurePosixPath(path)) for path in sorted(set(paths)))
    return tuple(file for file in found if file)


def _definition(path: PurePosixPath) -> DefinitionFile | None:
    if path.name == RECIPE_FILE:
        return DefinitionFile(path)
    parts = path.name.split(".")
    low = [part.lower() for part in parts]
    if path.suffix.lower() in _NO_DOCKERFILE or path.name.endswith("~"):
        return None
    if low[0] in _NAMES:
        return DefinitionFile(path, "-".join(parts[1:]))
    if low[-1] in _NAMES and parts[0]:
        return DefinitionFile(path, "-".join(parts[:-1]))
    return None


def is_as_good_as_empty(paths: Iterable[str]) -> bool:
    """Tell whether files are such as a repository is made with, and none that is built or run."""
    return all(_SAYS_NOTHING.fullmatch(path) for path in paths)


def as_name(text: str) -> str:
    """Turn a text into a name that an image can have."""
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower())
    name = re.sub(r"[._-]*-[._-]*|[._]{2,}", "-", name).strip("._-")
    return name if is_image_name(name) else "image"


def named_folder(folder: PurePosixPath) -> PurePosixPath:
    """Return the nearest folder, itself or above, whose name can say what an image is."""
    while folder.name in _NAMELESS and folder.name:
        folder = folder.parent
    return folder


def is_nameless(folder: PurePosixPath) -> bool:
    """Tell whether a folder's name says nothing about an image, or it is the root."""
    return folder.name in _NAMELESS


def choose_names(
    wanted: Sequence[tuple[PurePosixPath, str]], root_name: str, taken: Collection[str] = ()
) -> list[str]:
    """Return a name for each folder and variant, in order; no two are equal, and none is taken.

    The folder's own name, with the variant behind it. Where several would have one name, as many
    folders above go before it as tell them apart, and at last a number. The name of the folder
    above also goes before one that is a version.
    """
    depth = [1 + folder.name[:1].isdigit() for folder, _ in wanted]
    for _ in range(max((len(folder.parts) for folder, _ in wanted), default=0)):
        names = [_name(*item, root_name, n) for item, n in zip(wanted, depth, strict=True)]
        counts = Counter([*names, *taken])
        clashing = [index for index, name in enumerate(names) if counts[name] > 1]
        if not clashing:
            break
        for index in clashing:
            depth[index] += 1
    names = [_name(*item, root_name, n) for item, n in zip(wanted, depth, strict=True)]
    return _numbered(names, taken)


def _name(folder: PurePosixPath, variant: str, root_name: str, depth: int) -> str:
    place = named_folder(folder)
    parts = place.parts[-depth:]
    if not parts:
        return as_name(variant or root_name)
    return as_name("-".join([*parts, variant] if variant else parts))


def _numbered(names: Sequence[str], taken: Collection[str]) -> list[str]:
    seen = set(taken)
    numbered = []
    for name in names:
        tries = (name if number == 1 else f"{name}-{number}" for number in count(1))
        free = next(one for one in tries if one not in seen)
        seen.add(free)
        numbered.append(free)
    return numbered


def tails(folder: PurePosixPath) -> list[str]:
    """Return the names that a folder's path ends with, shortest first: `c`, `b-c`, `a-b-c`."""
    parts = folder.parts
    return [as_name("-".join(parts[-depth:])) for depth in range(1, len(parts) + 1)]
