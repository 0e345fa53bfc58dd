"""External images: who names which, and what the lock pins them to. Decides alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.graph import DEBIAN_PREFIX, Graph
from orchestrator.model import Image
from orchestrator.siblings import familiar_name

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class External:
    """A reference without a digest of its own, the images that name it, and where one does.

    Those of the images that are `recipes` cannot be made without a pin.
    """

    reference: str
    images: tuple[str, ...]
    recipes: tuple[str, ...]
    file: str
    line: int | None

    @property
    def where(self) -> str:
        """Return FILE:LINE."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class LockedExternal:
    """What an external reference is pinned to: its digest, an index's where there is one.

    Without a digest `unpinned` says why, in words that are the same on every machine.
    """

    reference: str
    digest: str = ""
    unpinned: str = ""


def find_externals(graph: Graph) -> tuple[External, ...]:
    """Return the external references that a lock pins, sorted; those with a digest are pinned.

    So is what a named context of the settings takes the place of, and Debian below a recipe.
    """
    images: dict[str, list[Image]] = {}
    for name, image in graph.images.items():
        for reference in _open_references(graph, name):
            images.setdefault(reference, []).append(image)
    return tuple(
        External(
            reference,
            tuple(image.name for image in images[reference]),
            tuple(image.name for image in images[reference] if image.build is None),
            str(images[reference][0].file),
            _line_of(images[reference][0], reference),
        )
        for reference in sorted(images)
    )


def _open_references(graph: Graph, name: str) -> Iterable[str]:
    image = graph.images[name]
    contexts = image.build.settings.options.contexts if image.build else {}
    taken = {familiar_name(context) for context in contexts}
    for reference in graph.external[name]:
        is_assembled = image.build is None and reference.startswith(DEBIAN_PREFIX)
        if "@" not in reference and not is_assembled and familiar_name(reference) not in taken:
            yield reference


def _line_of(image: Image, reference: str) -> int | None:
    if image.build is None:
        return image.recipe.parent_line
    found = (item.line for item in image.build.uses.references if item.name == reference)
    return next(found, None)


def pins_of(graph: Graph, locked: Iterable[LockedExternal], name: str) -> dict[str, str]:
    """Return the digests that the lock has for an image's external references."""
    digests = {row.reference: row.digest for row in locked if row.digest}
    return {item: digests[item] for item in _open_references(graph, name) if item in digests}


def external_parent(graph: Graph, name: str) -> str:
    """Return the external image that a recipe stands on, or nothing."""
    image = graph.images[name]
    if image.build or graph.parents[name] or image.parent.startswith(DEBIAN_PREFIX):
        return ""
    return image.parent


def pinned(reference: str, digest: str) -> str:
    """Return a reference with a digest, which wins over the tag."""
    return f"{reference}@{digest}" if digest else reference


def parse_externals(rows: Iterable[Mapping[str, Any]]) -> tuple[LockedExternal, ...]:
    """Read the rows of a lock.

    Raises:
        KeyError: A row has no reference.
        ValueError: Two rows are about one reference, or one has no digest that can be used.
    """
    found = [
        LockedExternal(row["reference"], row.get("digest", ""), row.get("unpinned", ""))
        for row in rows
    ]
    for row in found:
        if row.digest and not _DIGEST.fullmatch(row.digest):
            raise ValueError(f"{row.reference} is pinned to {row.digest!r}")
    if len({row.reference for row in found}) != len(found):
        raise ValueError("an [[external]] reference is there twice")
    return tuple(sorted(found))


def format_externals(externals: Iterable[LockedExternal]) -> list[dict[str, str]]:
    """Return the rows, sorted."""
    return [
        {"reference": row.reference, "digest": row.digest}
        if row.digest
        else {"reference": row.reference, "unpinned": row.unpinned}
        for row in sorted(externals)
    ]
