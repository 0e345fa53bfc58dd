"""The `images:` of a kustomization.

Source: Kustomize's reference, kustomization file, "images".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from orchestrator.deployments.source import Source
from orchestrator.deployments.tree import Node
from orchestrator.deployments.values import Form, ImageUse, Part

NAMES = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
"""What files of kustomizations are called."""


def is_kustomization(path: str, root: Node) -> bool:
    """Tell whether a document is a kustomization, by its kind or by the file's name."""
    return PurePosixPath(path).name in NAMES or root.word("kind") == "Kustomization"


def find_kustomize_uses(root: Node, source: Source) -> Iterator[ImageUse]:
    """Yield the images that a kustomization puts in the place of others."""
    for entry in root.get("images").elements:
        repository = source.written(Part.REPOSITORY, entry, "newName") or source.written(
            Part.REPOSITORY, entry, "name"
        )
        if repository is None:
            continue
        tag = source.written(Part.TAG, entry, "newTag")
        digest = source.written(Part.DIGEST, entry, "digest")
        written = tuple(one for one in (repository, tag, digest) if one)
        blanks = (
            source.blank(Part.REPOSITORY, entry, "newName"),
            source.blank(Part.TAG, entry, "newTag"),
            source.blank(Part.DIGEST, entry, "digest"),
        )
        yield ImageUse(
            source.path,
            Form.KUSTOMIZE,
            "Kustomization",
            entry.word("name"),
            repository.text
            + (f":{tag.text}" if tag else "")
            + (f"@{digest.text}" if digest else ""),
            written,
            replaces=entry.word("name"),
            blanks=tuple(one for one in blanks if one),
            room=source.room(entry, written),
        )
