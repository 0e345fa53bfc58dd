"""Images in the values of Helm charts, as charts by custom write them.

`image: {registry, repository, tag, digest}` at any depth, under a key that ends in "image", and
`image: REFERENCE`. What a chart makes of its values is its own business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from orchestrator.deployments.source import Source
from orchestrator.deployments.tree import Node, Shape
from orchestrator.deployments.values import Form, ImageUse, Part

_NAME = re.compile(r"(?:.*[-_.])?values(?:[-_.].*)?\.ya?ml")


def is_values_file(path: str) -> bool:
    """Tell whether a file is one of values by its name: `values.yaml`, `values-prod.yaml`."""
    return _NAME.fullmatch(PurePosixPath(path).name) is not None


def find_values_uses(root: Node, source: Source) -> Iterator[ImageUse]:
    """Yield the images among values; the container is their path, as `api.image`."""
    pending, seen = [(root, "")], set[int]()
    while pending:
        node, path = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        below = []
        for key, value in node.pairs:
            inner = f"{path}.{key.text}" if path else key.text
            if key.text.lower().endswith("image"):
                yield from _image(node, key.text, value, inner, source)
            below.append((value, inner))
        below.extend((value, f"{path}[{n}]") for n, value in enumerate(node.elements))
        pending.extend(reversed(below))


def _image(parent: Node, key: str, value: Node, path: str, source: Source) -> Iterator[ImageUse]:
    if value.shape is Shape.SCALAR:
        whole = source.written(Part.REFERENCE, parent, key) if key == "image" else None
        if whole:
            yield ImageUse(source.path, Form.HELM, "values", path, whole.text, (whole,))
        return
    repository = source.written(Part.REPOSITORY, value, "repository")
    if repository is None:
        return
    registry = source.written(Part.REGISTRY, value, "registry")
    tag = source.written(Part.TAG, value, "tag")
    digest = source.written(Part.DIGEST, value, "digest")
    reference = (
        (f"{registry.text}/" if registry else "")
        + repository.text
        + (f":{tag.text}" if tag else "")
        + (f"@{digest.text}" if digest else "")
    )
    written = tuple(one for one in (repository, registry, tag, digest) if one)
    yield ImageUse(source.path, Form.HELM, "values", path, reference, written)
