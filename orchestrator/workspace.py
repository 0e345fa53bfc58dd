"""The workspace: finding its images in the folders that the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from orchestrator.errors import WorkspaceError
from orchestrator.model import (
    Definition,
    Image,
    ImageKind,
    Settings,
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
    settings = read_settings(start.resolve())
    root = settings.file.parent
    images: dict[str, Image] = {}
    for image in _find_images(root, settings):
        if image.name in images:
            raise WorkspaceError(
                f"two images are named {image.name!r}: {images[image.name].path} and {image.path}",
                file=root / image.file,
                hint="rename one of the folders",
            )
        images[image.name] = image
    return Workspace(root, settings, images)


def _find_images(root: Path, settings: Settings) -> Iterator[Image]:
    seen: set[Path] = set()
    for kind, globs in ((ImageKind.BASE, settings.bases), (ImageKind.SERVICE, settings.services)):
        for pattern in globs:
            for folder in _folders(root, settings, pattern):
                if folder not in seen and (folder / RECIPE_FILE).is_file():
                    seen.add(folder)
                    yield _read_image(root, folder, kind)


def _folders(root: Path, settings: Settings, pattern: str) -> list[Path]:
    try:
        folders = sorted(root.glob(pattern))
    except (ValueError, NotImplementedError):
        folders = None
    if folders is None or ".." in PurePosixPath(pattern).parts:
        raise WorkspaceError(
            f"{pattern!r} names no folders of the workspace",
            file=settings.file,
            hint="globs start at the root of the workspace, for example base/*",
        )
    return folders


def _read_image(root: Path, folder: Path, kind: ImageKind) -> Image:
    path = PurePosixPath(folder.relative_to(root).as_posix())
    file = folder / RECIPE_FILE
    if not is_image_name(folder.name):
        raise WorkspaceError(
            f"{folder.name!r} cannot name an image",
            file=file,
            hint="use lower-case letters, digits and single separators (., _, -)",
        )
    return Image(folder.name, kind, Definition.RECIPE, path, path / RECIPE_FILE, read_recipe(file))
