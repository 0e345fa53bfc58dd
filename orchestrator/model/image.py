"""Images: the nodes of the graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from orchestrator.model.dockerfile import DockerfileBuild
from orchestrator.model.kind import Definition, ImageKind
from orchestrator.model.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Image:
    """A node of the graph: one image that a folder of the workspace defines.

    One that a Dockerfile defines has a `build`, and a recipe that asks for the requirements
    alone that the settings name.
    """

    name: str
    kind: ImageKind
    definition: Definition
    path: PurePosixPath
    file: PurePosixPath
    recipe: Recipe
    build: DockerfileBuild | None = None

    @property
    def parent(self) -> str:
        """Return the reference the image stands on, as its definition writes it."""
        return self.recipe.parent

    @property
    def is_locked(self) -> bool:
        """Tell whether the lock says what the image adds: always of a recipe."""
        return self.build is None or self.build.settings.requirements is not None
