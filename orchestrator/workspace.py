"""The workspace: finding its images in the folders that the settings name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from orchestrator.dockerfile import find_uses, parse_dockerfile
from orchestrator.errors import WorkspaceError, unreadable
from orchestrator.ignorefile import clean
from orchestrator.model import (
    Definition,
    DockerfileBuild,
    Image,
    ImageKind,
    ImageSettings,
    Recipe,
    Settings,
    Uses,
    Workspace,
    is_image_name,
)
from orchestrator.recipe import RECIPE_FILE, read_recipe
from orchestrator.settings import read_settings


def read_workspace(start: Path) -> Workspace:
    """Read the workspace that a folder belongs to.

    Images come in the order of the settings' globs, sorted by folder within each.

    Raises:
        WorkspaceError: Settings or a recipe are not valid, or two images share a name.
    """
    return read_images(read_settings(start.resolve()))


def read_images(
    settings: Settings,
    lose: Callable[[str, WorkspaceError], None] | None = None,
    read: Callable[[Path], Recipe] = read_recipe,
) -> Workspace:
    """Read the images of settings; the folder of the settings' file is the root.

    With `lose`, an image that cannot be read is left out, and `lose` gets its name and why.
    Recipes are had from `read`.

    Raises:
        WorkspaceError: A recipe or a Dockerfile is not valid, or two images share a name.
    """
    root = settings.file.parent
    images: dict[str, Image] = {}
    for name, read_image in _find_images(root, settings, read):
        try:
            image = read_image()
            _check_alone(root, images, image)
        except WorkspaceError as error:
            if lose is None:
                raise
            lose(name, error)
        else:
            images[image.name] = image
    return Workspace(root, settings, images)


def _check_alone(root: Path, images: Mapping[str, Image], image: Image) -> None:
    if image.name in images:
        raise WorkspaceError(
            f"two images are named {image.name!r}: {images[image.name].path} and {image.path}",
            file=root / image.file,
            hint="rename one of the folders",
        )


def _find_images(
    root: Path, settings: Settings, read: Callable[[Path], Recipe]
) -> Iterator[tuple[str, Callable[[], Image]]]:
    """Yield names of images and what reads them: those of folders, then those of settings alone."""
    tables = {name: _placed(root, settings, name) for name in settings.images}
    by_path: dict[str, list[str]] = {}
    for name, table in tables.items():
        by_path.setdefault(table.path, []).append(name)
    for folder, kind in _image_folders(root, settings):
        text = str(folder)  # as paths are slow where there are very many
        if has_recipe := _is_there(f"{text}/{RECIPE_FILE}"):
            yield folder.name, partial(read_recipe_image, root, folder, kind, read)
        elif not os.path.isdir(text):  # noqa: PTH112 - likewise
            continue
        path = text.removeprefix(f"{root}/")
        for name in by_path.pop(path, []):
            table = tables.pop(name)
            yield name, partial(read_dockerfile_image, root, settings, name, kind, table)
        if not has_recipe and _is_implied(folder, path, settings):
            name, table = folder.name, ImageSettings(path)
            yield name, partial(read_dockerfile_image, root, settings, name, kind, table)
    for name, table in tables.items():
        kind = ImageKind.SERVICE
        yield name, partial(read_dockerfile_image, root, settings, name, kind, table)


def _image_folders(root: Path, settings: Settings) -> Iterator[tuple[Path, ImageKind]]:
    """Yield what the globs of the settings name, each once; not all of it need be folders."""
    seen: set[str] = set()
    for kind, globs in ((ImageKind.BASE, settings.bases), (ImageKind.SERVICE, settings.services)):
        for pattern in globs:
            for folder in _folders(root, settings, pattern):
                text = str(folder)
                if text not in seen:
                    seen.add(text)
                    yield folder, kind


def _is_there(path: str) -> bool:
    """Tell whether a name is taken, were it by what nobody can read: reading it says why."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _is_implied(folder: Path, path: str, settings: Settings) -> bool:
    """Tell whether a folder makes an image of its own name without any setting."""
    named = any(clean(table.path) == path for table in settings.images.values())
    return not named and folder.name not in settings.images and (folder / "Dockerfile").is_file()


def _placed(root: Path, settings: Settings, name: str) -> ImageSettings:
    """Return an image's settings with its folder, found by its name where none is given."""
    table = settings.images[name]
    if table.path:
        folders = [root / table.path]
    else:
        globs = (*settings.bases, *settings.services)
        found = (folder for glob in globs for folder in _folders(root, settings, glob))
        folders = [folder for folder in found if folder.name == name and folder.is_dir()]
    folder = Path(os.path.normpath(folders[0])) if folders else root / name
    why = ""
    if not folder.is_relative_to(root) or not folder.is_dir():
        why = "has no folder in the workspace"
    elif not table.path and (folder / RECIPE_FILE).is_file():
        why = f"is defined by {RECIPE_FILE}, and this table is for Dockerfiles"
    if why:
        raise WorkspaceError(
            f"[image.{name}] {why}",
            file=settings.file,
            line=table.line,
            hint='let path name the folder of its context, such as path = "services/api"; or take '
            "the table out",
        )
    return replace(table, path=folder.relative_to(root).as_posix())


def _folders(root: Path, settings: Settings, pattern: str) -> list[Path]:
    try:
        folders = sorted(root.glob(pattern), key=lambda folder: folder.parts)
    except (ValueError, NotImplementedError):
        folders = None
    if folders is None or ".." in PurePosixPath(pattern).parts:
        raise WorkspaceError(
            f"{pattern!r} names no folders of the workspace",
            file=settings.file,
            hint="globs start at the root of the workspace, for example base/*",
        )
    return folders


def read_recipe_image(
    root: Path, folder: Path, kind: ImageKind, read: Callable[[Path], Recipe] = read_recipe
) -> Image:
    """Read the image that a folder's recipe defines; the recipe itself is had from `read`.

    Raises:
        WorkspaceError: The recipe is not valid, or the folder's name cannot name an image.
    """
    path = PurePosixPath(str(folder).removeprefix(f"{root}/"))
    file = folder / RECIPE_FILE
    _check_name(folder.name, file)
    return Image(folder.name, kind, Definition.RECIPE, path, path / RECIPE_FILE, read(file))


def read_dockerfile_image(
    root: Path, settings: Settings, name: str, kind: ImageKind, table: ImageSettings
) -> Image:
    """Read an image that a Dockerfile defines; `table.path` is set.

    What it uses is what it uses on any of its platforms. The settings' kind goes before `kind`.

    Raises:
        WorkspaceError: The Dockerfile is missing or cannot be read.
    """
    table = settings.buildkit.complete(table)
    path = PurePosixPath(table.path)
    file = Path(os.path.normpath(root / path / table.dockerfile))
    _check_name(name, file)
    if not file.is_relative_to(root):
        hint = "a Dockerfile may lie outside of its context, but not outside of the workspace"
        message = f"[image.{name}] dockerfile lies outside the workspace"
        raise WorkspaceError(message, file=settings.file, line=table.line, hint=hint)
    text = _read_text(file)
    dockerfile = parse_dockerfile(text, str(file))
    platforms = table.platforms or settings.platforms
    uses = [find_uses(dockerfile, table.target, table.build_args, one) for one in platforms]
    build = DockerfileBuild(table, _join(uses), hashlib.sha256(text.encode()).hexdigest())
    stands_on = build.uses.base.name if build.uses.base else "scratch"
    recipe = Recipe(
        stands_on,
        requirements=table.requirements or (),
        gates=table.gates,
        parent_line=dockerfile.stages[0].line,
    )
    place = PurePosixPath(file.relative_to(root).as_posix())
    return Image(name, table.kind or kind, Definition.DOCKERFILE, path, place, recipe, build)


def _check_name(name: str, file: Path) -> None:
    if not is_image_name(name):
        raise WorkspaceError(
            f"{name!r} cannot name an image",
            file=file,
            hint="use lower-case letters, digits and single separators (., _, -)",
        )


def _read_text(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except OSError as error:
        hint = "[image.NAME] dockerfile names it, from the folder of the context"
        raise WorkspaceError(f"cannot be read: {error.strerror}", file=file, hint=hint) from error
    except UnicodeDecodeError as error:
        raise unreadable(error, file) from error


def _join(uses: list[Uses]) -> Uses:
    return Uses(
        tuple(dict.fromkeys(item for one in uses for item in one.references)),
        tuple(dict.fromkeys(item for one in uses for item in one.sources)),
        next((one.whole_context for one in uses if one.whole_context), ""),
        onbuild=any(one.onbuild for one in uses),
        base=uses[0].base,
    )
