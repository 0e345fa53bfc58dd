"""What Docker has of images made here: asked once for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.errors import MissingToolError
from orchestrator.model import Image


@dataclass(frozen=True, slots=True)
class DockerImages:
    """What Docker has of images made here, by private tag; or why it does not say."""

    tags: frozenset[str] = frozenset()
    problem: str = ""

    def has(self, name: str, digest: str) -> bool:
        """Tell whether Docker still has an image as its record has it."""
        if not self.tags:
            return False
        from orchestrator.engines.docker.presence import private_tag  # noqa: PLC0415 - is loaded

        return private_tag(name, digest) in self.tags


def ask_docker(images: Iterable[Image]) -> DockerImages:
    """Ask Docker what it has of images, in one question; not at all without Dockerfiles."""
    if not any(image.build for image in images):
        return DockerImages()
    from orchestrator.engines.docker.presence import read_present  # noqa: PLC0415 - rarely needed

    try:
        return DockerImages(read_present())
    except MissingToolError as error:
        return DockerImages(problem=error.in_a_line)
