"""What an image is made from: siblings, and images from elsewhere."""

from __future__ import annotations

import difflib

from orchestrator.errors import WorkspaceError
from orchestrator.model import Image, Reference, Workspace
from orchestrator.siblings import WHEELS_CONTEXT, SiblingNames, is_wheels_context

_NO_SIBLING = "orch graph shows the images; one from elsewhere needs its tag or digest"


class UnknownParentError(WorkspaceError):
    """An image stands on a sibling that the workspace lacks."""


def edges_of(
    workspace: Workspace, names: SiblingNames, image: Image
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the siblings and the other images that one is made from, in the order of use.

    Raises:
        UnknownParentError: It stands on a sibling that the workspace lacks.
        WorkspaceError: It uses wheels of the lock, and the settings do not say which.
    """
    if image.build is None:
        if image.parent in workspace.images:
            return (image.parent,), ()
        _check_external(workspace, image)
        return (), (image.parent,)
    found = {
        item.name: names.find(item.name, by=image.name)
        for item in image.build.uses.references
        if not _is_wheels_context(workspace, names, image, item)
    }
    return (
        tuple(dict.fromkeys(sibling for sibling in found.values() if sibling)),
        tuple(reference for reference, sibling in found.items() if not sibling),
    )


def sibling_below(names: SiblingNames, image: Image, parents: tuple[str, ...]) -> str:
    """Return the sibling that an image's layers begin with, or nothing."""
    if image.build is None:
        return parents[0] if parents else ""
    base = image.build.uses.base
    return (base and names.find(base.name, by=image.name)) or ""


def takes_wheels(names: SiblingNames, image: Image) -> bool:
    """Tell whether wheels of the lock reach an image: a recipe, or a context that names them."""
    return image.build is None or any(
        is_wheels_context(names, image, item) for item in image.build.uses.references
    )


def _is_wheels_context(
    workspace: Workspace, names: SiblingNames, image: Image, item: Reference
) -> bool:
    """Tell whether a reference means the wheels that the lock has for an image.

    Raises:
        WorkspaceError: It does, and the settings do not say what is to be locked.
    """
    if not is_wheels_context(names, image, item):
        return False
    if not image.is_locked:
        raise WorkspaceError(
            f"from={WHEELS_CONTEXT} gives an image the wheels that are locked for it, and nothing "
            f"is locked for {image.name}",
            file=workspace.root / image.file,
            line=item.line,
            hint=f"name what it installs in {workspace.settings.file.name}: "
            f'[image.{image.name}] requirements = ["requirements.txt"]',
        )
    return True


def _check_external(workspace: Workspace, image: Image) -> None:
    """Refuse a parent that can only be meant as a sibling: it has no tag, digest or registry."""
    if any(mark in image.parent for mark in ":@/"):
        return
    near = difflib.get_close_matches(image.parent, workspace.images, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else _NO_SIBLING
    raise UnknownParentError(
        f"{image.name} stands on {image.parent!r}, which is no image of this workspace",
        hint=hint,
        file=workspace.root / image.file,
        line=image.recipe.parent_line,
    )
