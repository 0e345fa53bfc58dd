"""What refers to a manifest in a registry: lists of it, and artifacts that are added to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from orchestrator.attest.artifacts import Artifact
from orchestrator.oci.image import INDEX_MEDIA_TYPE, canonical_json
from orchestrator.publish.documents import write_once
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import (
    Manifest,
    NotPublishedError,
    Referrer,
    Registry,
    TagTakenError,
    VerificationError,
    parse_referrers,
)
from orchestrator.publish.untrusted import read_object

_ROUNDS = 5
"""How often a list under a tag is written while others write there too."""


@dataclass(frozen=True, slots=True)
class Referrers:
    """What refers to a manifest; `by_tag` where the registry keeps no list of it by itself."""

    known: tuple[Referrer, ...] = ()
    by_tag: bool = False


def referrers_tag(digest: str) -> str:
    """Return the tag under which clients list what refers to a manifest.

    Source: OCI distribution specification 1.1, "Referrers Tag Schema".
    """
    return digest.replace(":", "-")


def find_referrers(registry: Registry, repository: Repository, digest: str) -> Referrers:
    """Find what refers to a manifest, by the registry's own list, else by the tag's.

    Raises:
        RegistryError: The registry does not answer, or the tag names no list.
    """
    listed = registry.find_referrers(repository, digest)
    if listed is not None:
        return Referrers(listed)
    document = _read_list(registry, repository, referrers_tag(digest))
    return Referrers(parse_referrers(document), by_tag=True)


def attach(
    registry: Registry,
    repository: Repository,
    digest: str,
    artifacts: Iterable[Artifact],
    *,
    by_tag: bool,
) -> None:
    """Store artifacts that refer to a manifest, read them back, and list them where need be.

    Raises:
        RegistryError: The registry does not take them, or has something else then.
    """
    artifacts = tuple(artifacts)
    for artifact in artifacts:
        for blob in artifact.blobs:
            write_once(registry, repository, blob.data)
        manifest = Manifest(artifact.manifest.media_type, artifact.manifest.data)
        registry.write_manifest(repository, manifest.digest, manifest)
        registry.read_manifest(repository, manifest.digest)
    if by_tag and artifacts:
        _list(registry, repository, referrers_tag(digest), [a.descriptor for a in artifacts])


def _list(registry: Registry, repository: Repository, tag: str, rows: list[dict[str, Any]]) -> None:
    """Add rows to a list under a tag; what others add meanwhile stays as far as it is seen.

    No registry can be told to write only if nothing changed, so the list is read again after it
    was written, and completed where somebody else was as quick.
    """
    for _ in range(_ROUNDS):
        document = _read_list(registry, repository, tag)
        there = {row["digest"] for row in document["manifests"]}
        new = [row for row in rows if row["digest"] not in there]
        if not new:
            return
        document["manifests"] += new
        registry.write_manifest(
            repository, tag, Manifest(INDEX_MEDIA_TYPE, canonical_json(document))
        )
    raise VerificationError(
        f"{repository}:{tag} does not keep what is added to it",
        hint="push again; somebody else may push there at this moment",
    )


def _read_list(registry: Registry, repository: Repository, tag: str) -> dict[str, Any]:
    """Read a list with all that is in it; rows of others stay as they are."""
    try:
        document = read_object(registry.read_manifest(repository, tag).data)
        parse_referrers(document)
    except NotPublishedError:
        return {"schemaVersion": 2, "mediaType": INDEX_MEDIA_TYPE, "manifests": []}
    except ValueError as error:
        raise TagTakenError(
            f"{repository}:{tag} names no list of what refers to an image",
            hint="the tag is reserved for that: delete it there",
        ) from error
    return document
