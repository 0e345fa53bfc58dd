"""Which images that deployment files name are to be put there by digest, and under which tag."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from orchestrator.deployments.names import is_placeholder, named_sibling, with_defaults
from orchestrator.deployments.values import DeploymentFile, Form, ImageUse
from orchestrator.model import Settings, Workspace
from orchestrator.siblings import SiblingNames, without_tag


class Meant(Enum):
    """What a use of an image asks for."""

    PIN = "pin"
    LEAVE = "leave"
    FOREIGN = "foreign"
    OPEN = "open"
    """A placeholder that names no image of the workspace."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A use, and the image of the workspace that it names; `tag` is empty where it says none."""

    use: ImageUse
    meant: Meant
    image: str = ""
    tag: str = ""
    why: str = ""


def replaced_names(files: Iterable[DeploymentFile]) -> frozenset[str]:
    """Return the names that kustomizations put other images in the place of."""
    return frozenset(use.replaces for file in files for use in file.uses if use.replaces)


def plan_intents(
    workspace: Workspace, files: Iterable[DeploymentFile], replaced: frozenset[str]
) -> Iterator[Intent]:
    """Yield what each image that files name is meant to be, in the order of the files.

    Left as they are: images of others, what a variable decides, what Compose builds itself, and in
    objects what a kustomization replaces, since it finds them by the name they have.

    Raises:
        WorkspaceError: Names of the workspace's images contradict each other.
    """
    names = SiblingNames(workspace)
    for file in files:
        for use in file.uses:
            yield _intent(use, names, workspace.settings, replaced)


def _intent(
    use: ImageUse, names: SiblingNames, settings: Settings, replaced: frozenset[str]
) -> Intent:
    reference = with_defaults(use.reference)
    tagged = reference.partition("@")[0]
    repository = without_tag(tagged)
    image = named_sibling(names, reference)
    if use.form is Form.KUBERNETES and repository in replaced:
        return Intent(use, Meant.LEAVE, image, why="a kustomization names the image")
    if not image:
        is_open = is_placeholder(reference) and not _is_ours(reference, settings)
        return Intent(use, Meant.OPEN if is_open and not use.built else Meant.FOREIGN)
    if "$" in use.reference:
        return Intent(use, Meant.LEAVE, image, why="a variable decides what it names")
    if use.built:
        return Intent(use, Meant.LEAVE, image, why="Compose builds it under this name")
    tag = tagged[len(repository) + 1 :]
    return Intent(use, Meant.PIN, image, "" if is_placeholder(tag) else tag)


def _is_ours(reference: str, settings: Settings) -> bool:
    prefixes = (settings.registry, *settings.aliases)
    return any(reference.startswith(f"{one.rstrip('/')}/") for one in prefixes if one)
