"""Documents beside images: one blob each, under a tag of their own in an image's repository.

Source: OCI image specification 1.1, "Guidelines for Artifact Usage".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from orchestrator.oci.image import MANIFEST_MEDIA_TYPE
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import (
    BlobInfo,
    CredentialsError,
    Manifest,
    NotPublishedError,
    RefusedError,
    Registry,
)
from orchestrator.publish.untrusted import read_object, read_rows
from orchestrator.scratch import scratch_folder

_MOST_BYTES = 64 << 20
"""A larger document is none of ours."""
_EMPTY = b"{}"
_EMPTY_MEDIA_TYPE = "application/vnd.oci.empty.v1+json"


def write_document(
    registry: Registry,
    repository: Repository,
    tag: str,
    media_type: str,
    data: bytes,
    source: Repository | None = None,
) -> int:
    """Store a document under a tag; return how many bytes were sent: none that `source` has.

    Raises:
        RegistryError: The registry does not take it.
    """
    rows = [(_EMPTY_MEDIA_TYPE, _EMPTY), (media_type, data)]
    sent = write_once(registry, repository, _EMPTY)
    if source is None or not _mounts(registry, repository, data, source):
        sent += write_once(registry, repository, data)
    config, layer = (_descriptor(kind, content) for kind, content in rows)
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_MEDIA_TYPE,
        "artifactType": media_type,
        "config": config,
        "layers": [layer],
    }
    manifest = Manifest(MANIFEST_MEDIA_TYPE, json.dumps(document, sort_keys=True).encode())
    registry.write_manifest(repository, tag, manifest)
    return sent + len(manifest.data)


def _mounts(registry: Registry, repository: Repository, data: bytes, source: Repository) -> bool:
    try:
        return registry.mount_blob(repository, _digest(data), source)
    except (CredentialsError, RefusedError):
        return False  # sending it tells whether it is the target that is refused


def read_document(
    registry: Registry, repository: Repository, tag: str, media_type: str
) -> bytes | None:
    """Read the document under a tag, verified; None where there is none of that kind.

    Raises:
        RegistryError: The registry does not answer, or with other bytes.
    """
    try:
        manifest = read_object(registry.read_manifest(repository, tag).data)
        (layer,) = (r for r in read_rows(manifest, "layers") if r.get("mediaType") == media_type)
        blob = BlobInfo.parse(layer)
    except (NotPublishedError, ValueError):
        return None
    if blob.size_bytes > _MOST_BYTES:
        return None
    with scratch_folder() as folder:
        registry.fetch_blob(repository, blob, folder / "blob")
        return (folder / "blob").read_bytes()


def write_once(registry: Registry, repository: Repository, data: bytes) -> int:
    """Store bytes as a blob where they are not there yet; return how many were sent.

    Raises:
        RegistryError: The registry does not take them.
    """
    if registry.has_blob(repository, _digest(data)):
        return 0
    with scratch_folder() as folder:
        (folder / "blob").write_bytes(data)
        registry.write_blob(repository, BlobInfo(_digest(data), len(data)), folder / "blob")
    return len(data)


def _descriptor(media_type: str, data: bytes) -> Mapping[str, object]:
    return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
