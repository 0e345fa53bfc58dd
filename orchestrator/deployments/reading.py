"""Deployment files, read: whatever they hold, the images in them or a note why not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from orchestrator.deployments.compose import find_compose_uses, is_compose
from orchestrator.deployments.documents import Document, names_image, parse_documents
from orchestrator.deployments.helm import find_values_uses, is_values_file
from orchestrator.deployments.kubernetes import find_object_uses, is_object
from orchestrator.deployments.kustomize import find_kustomize_uses, is_kustomization
from orchestrator.deployments.source import Source
from orchestrator.deployments.tree import Node
from orchestrator.deployments.values import DeploymentFile, ImageUse, Note

_TEMPLATE = "{{"


def read_deployment(path: str, text: str) -> DeploymentFile:
    """Read the images that a file names; `path` tells some kinds of files apart.

    A document that is a template or no YAML is left out with a note, and what names no image
    costs next to nothing. Memory and time are bounded by the text's length.
    """
    if not names_image(text):
        return DeploymentFile(path)
    if "templates" in PurePosixPath(path).parts and _TEMPLATE in text:
        return DeploymentFile(path, notes=(Note(1, "a template of a chart, so not read"),))
    return _read(Source.of(path, text))


def _read(source: Source) -> DeploymentFile:
    uses: dict[tuple[int, ...], ImageUse] = {}
    notes: list[Note] = []
    for document in parse_documents(source.text):
        if document.root is None:
            notes += _notes(document, source)
            continue
        for use in _uses(document.root, source):
            if _TEMPLATE in use.reference:
                notes.append(Note(use.span.line, f"{use.reference!r} is a template, so not read"))
            else:
                uses.setdefault(tuple(one.span.start for one in use.written), use)
    return DeploymentFile(source.path, tuple(uses[start] for start in sorted(uses)), tuple(notes))


def _notes(document: Document, source: Source) -> Iterator[Note]:
    if _TEMPLATE in document.text:
        yield Note(source.line(document.start), "a template, so not read")
    elif document.problem:
        line = source.line(document.start)
        yield Note(line, f"cannot be read as YAML: {document.problem}")


def _uses(root: Node, source: Source) -> Iterator[ImageUse]:
    if is_kustomization(source.path, root):
        yield from find_kustomize_uses(root, source)
    elif is_object(root):
        yield from find_object_uses(root, source)
    elif is_compose(root):
        yield from find_compose_uses(root, source)
    elif is_values_file(source.path):
        yield from find_values_uses(root, source)
