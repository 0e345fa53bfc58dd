"""Pulling: what a reference names on a platform, and its blobs into a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from orchestrator.model import Platform
from orchestrator.oci.image import INDEX_MEDIA_TYPE
from orchestrator.publish.crew import Crew
from orchestrator.publish.reference import Reference, Repository
from orchestrator.publish.registry import (
    DOCKER_INDEX,
    BlobInfo,
    Manifest,
    NotPublishedError,
    Registry,
    RegistryError,
)
from orchestrator.publish.untrusted import read_object, read_rows


@dataclass(frozen=True, slots=True)
class PulledImage:
    """An image as a registry has it on one platform.

    `digest` is that of what the reference names, an index perhaps: the one to pin.
    """

    repository: Repository
    digest: str
    manifest: Manifest
    config: BlobInfo
    layers: tuple[BlobInfo, ...]


class Manifests(Protocol):
    """What a reference is looked up in: a registry, or what was kept of one."""

    def read_manifest(self, repository: Repository, pointer: str) -> Manifest:
        """Read a manifest; its digest is that of its bytes."""
        ...


def find_image(registry: Manifests, reference: Reference, platform: Platform) -> PulledImage:
    """Find what a reference names on a platform; only manifests are read.

    Raises:
        NotPublishedError: There is no such image, or not for the platform.
        RegistryError: What is there is no image, or the registry does not answer.
    """
    named = registry.read_manifest(reference.repository, reference.pointer)
    manifest = named
    if named.media_type in {INDEX_MEDIA_TYPE, DOCKER_INDEX}:
        digest = _choose(_parse(named, reference), reference, platform)
        manifest = registry.read_manifest(reference.repository, digest)
    document = _parse(manifest, reference)
    try:
        config = BlobInfo.parse(document.get("config"))
        layers = tuple(BlobInfo.parse(row) for row in read_rows(document, "layers"))
    except ValueError as error:
        raise _no_image(reference, error) from error
    return PulledImage(reference.repository, named.digest, manifest, config, layers)


def fetch_image(
    registry: Registry, crew: Crew, image: PulledImage, blob_path: Callable[[str], Path]
) -> None:
    """Fetch the config and the layers of an image, verified, each to the path of its digest.

    What is there with the right size stays.

    Raises:
        RegistryError: A blob cannot be fetched, or is not what its digest says.
    """
    lacking = [
        blob
        for blob in dict.fromkeys((image.config, *image.layers))
        if not _is_there(blob_path(blob.digest), blob)
    ]
    crew.each(
        lambda blob: registry.fetch_blob(image.repository, blob, blob_path(blob.digest)), lacking
    ).raise_first()


def _is_there(path: Path, blob: BlobInfo) -> bool:
    return path.is_file() and path.stat().st_size == blob.size_bytes


def _choose(index: dict[str, Any], reference: Reference, platform: Platform) -> str:
    offered = []
    try:
        for item in read_rows(index, "manifests"):
            offered.append(_platform(item))
            if offered[-1] == f"{platform.os}/{platform.architecture}":
                return BlobInfo.parse(item).digest
    except ValueError as error:
        raise _no_image(reference, error) from error
    known = [one for one in offered if "None" not in one]  # not what documents about images have
    raise NotPublishedError(
        f"{reference} is not there for {platform}",
        hint=f"name an image that is; this one is there for {', '.join(known) or 'no platform'}",
    )


def _parse(manifest: Manifest, reference: Reference) -> dict[str, Any]:
    try:
        return read_object(manifest.data)
    except ValueError as error:
        raise _no_image(reference, error) from error


def _platform(item: Mapping[str, Any]) -> str:
    known = item.get("platform")
    known = known if isinstance(known, dict) else {}
    return f"{known.get('os')}/{known.get('architecture')}"


def _no_image(reference: Reference, why: ValueError) -> RegistryError:
    hint = "name another tag or digest; what made this one does not keep to the specification"
    return RegistryError(f"{reference} is no image: {why}", hint=hint)
