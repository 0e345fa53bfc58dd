"""Images in the values of Helm charts, as charts by custom write them.

`image: {registry, repository, tag, digest}` at any depth, under a key that ends in "image", and
`image: REFERENCE`, with `tag` or `imageTag` beside it or not. What a chart makes of its values is
its own business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from orchestrator.deployments.source import Source
from orchestrator.deployments.tree import Node, Shape
from orchestrator.deployments.values import Form, ImageUse, Part
from orchestrator.siblings import without_tag

_TAGS = ("tag", "imageTag")
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
    if value.shape is not Shape.SCALAR:
        yield from _parts(value, "repository", ("tag",), path, source)
    elif key == "image" and (whole := source.written(Part.REFERENCE, parent, key)):
        if without_tag(whole.text) == whole.text and "@" not in whole.text:
            beside = tuple(name for name in _TAGS if parent.pair(name))
            if beside:
                yield from _parts(parent, key, beside, path, source)
                return
        yield ImageUse(source.path, Form.HELM, "values", path, whole.text, (whole,))


def _parts(
    mapping: Node, named: str, tags: tuple[str, ...], path: str, source: Source
) -> Iterator[ImageUse]:
    """Yield the image whose repository, tag and digest have keys of their own in a mapping."""
    repository = source.written(Part.REPOSITORY, mapping, named)
    if repository is None:
        return
    registry = source.written(Part.REGISTRY, mapping, "registry")
    tag = next((one for name in tags if (one := source.written(Part.TAG, mapping, name))), None)
    digest = source.written(Part.DIGEST, mapping, "digest")
    reference = (
        (f"{registry.text}/" if registry else "")
        + repository.text
        + (f":{tag.text}" if tag else "")
        + (f"@{digest.text}" if digest else "")
    )
    written = tuple(one for one in (repository, registry, tag, digest) if one)
    blanks = (
        *(source.blank(Part.TAG, mapping, name) for name in tags),
        source.blank(Part.DIGEST, mapping, "digest"),
    )
    yield ImageUse(
        source.path,
        Form.HELM,
        "values",
        path,
        reference,
        written,
        blanks=tuple(one for one in blanks if one),
        room=source.room(mapping, written),
    )
