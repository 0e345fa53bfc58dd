"""Documents about images as manifests that refer to these (OCI image specification 1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from orchestrator.oci.image import MANIFEST_MEDIA_TYPE, Blob, canonical_json

EMPTY = Blob("application/vnd.oci.empty.v1+json", b"{}")
KIND = "io.orch.document"
"""Annotation of a manifest: which kind of our documents it holds."""
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
_TITLE = "org.opencontainers.image.title"
_PREDICATE = "in-toto.io/predicate-type"


class DocumentKind(Enum):
    """Which documents are published about an image."""

    SBOM = "sbom"
    PROVENANCE = "provenance"


_MEDIA_TYPES = {
    DocumentKind.SBOM: "application/vnd.cyclonedx+json",
    DocumentKind.PROVENANCE: "application/vnd.in-toto+json",
}
_NOTES: Mapping[DocumentKind, Mapping[str, str]] = {
    DocumentKind.SBOM: {},
    DocumentKind.PROVENANCE: {_PREDICATE: PREDICATE_TYPE},
}
_FILES = {DocumentKind.SBOM: "sbom.cdx.json", DocumentKind.PROVENANCE: "provenance.intoto.json"}


@dataclass(frozen=True, slots=True)
class Artifact:
    """A document and the manifest that says which image it is about."""

    kind: DocumentKind
    document: Blob
    manifest: Blob

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """Return what the manifest names."""
        return EMPTY, self.document

    @property
    def descriptor(self) -> dict[str, Any]:
        """Return it as lists of referrers have it (image-index.md, distribution spec.)."""
        return {
            **self.manifest.descriptor,
            "artifactType": _MEDIA_TYPES[self.kind],
            "annotations": _annotations(self.kind),
        }


def make_artifact(kind: DocumentKind, document: bytes, subject: Blob) -> Artifact:
    """Put a document about an image's manifest together.

    Source: OCI image specification, manifest.md, "Guidelines for Artifact Usage".
    """
    blob = Blob(_MEDIA_TYPES[kind], document)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_MEDIA_TYPE,
        "artifactType": blob.media_type,
        "config": EMPTY.descriptor,
        "layers": [{**blob.descriptor, "annotations": {_TITLE: _FILES[kind], **_NOTES[kind]}}],
        "subject": subject.descriptor,
        "annotations": _annotations(kind),
    }
    return Artifact(kind, blob, Blob(MANIFEST_MEDIA_TYPE, canonical_json(manifest)))


def _annotations(kind: DocumentKind) -> dict[str, str]:
    return {KIND: kind.value, **_NOTES[kind]}
