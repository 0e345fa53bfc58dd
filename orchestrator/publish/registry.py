"""What publishing needs of a registry, as a protocol, and what can go wrong there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from orchestrator.errors import OrchError
from orchestrator.publish.reference import Repository, is_digest
from orchestrator.publish.untrusted import read_rows

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"


class RegistryError(OrchError):
    """A registry does not do what it was asked for."""


class RegistryUnreachableError(RegistryError):
    """A registry is busy, out of reach, or breaks off; it may say when to come back."""

    may_pass = True

    def __init__(self, message: str, *, hint: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class RefusedError(RegistryError):
    """A registry refuses a request; `status` is HTTP's, `codes` are those of its answer."""

    def __init__(self, message: str, *, status: int, codes: tuple[str, ...], hint: str) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.codes = codes


PAST_PROXIES = "name the registry in NO_PROXY to go past a proxy, and try again"
NO_REGISTRY = (
    "something else than a registry may answer there, such as a proxy's page that asks to log in: "
    "curl -i https://HOST/v2/ shows what; a registry answers 200 or 401"
)


class CredentialsError(RegistryError):
    """A registry wants credentials that are not there, or refuses those that are."""


class NotPublishedError(RegistryError):
    """A registry has no such manifest."""


class VerificationError(RegistryError):
    """A registry holds, or says it holds, something else than what was sent to it."""


class TagTakenError(RegistryError):
    """A tag that may not be moved names another image."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The bytes of a manifest or an index, and what they are."""

    media_type: str
    data: bytes

    @property
    def digest(self) -> str:
        """Return the digest of the bytes."""
        return "sha256:" + hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True, order=True)
class BlobInfo:
    """A blob as a manifest names it."""

    digest: str
    size_bytes: int

    @classmethod
    def parse(cls, row: object) -> BlobInfo:
        """Read a descriptor (OCI image specification, descriptor.md).

        Raises:
            ValueError: It is none; a digest must be by SHA-256, for blobs are kept by it.
        """
        if not isinstance(row, dict) or not is_digest(row.get("digest")):
            raise ValueError("a blob has no digest by SHA-256")
        return cls(row["digest"], _size(row, least=1))


@dataclass(frozen=True, slots=True)
class Referrer:
    """A manifest that refers to another one, as lists of these have it."""

    digest: str
    artifact_type: str
    size_bytes: int
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, row: Mapping[str, Any]) -> Referrer:
        """Read a row of a list (OCI distribution specification 1.1, "Listing Referrers").

        Raises:
            ValueError: It is none.
        """
        notes = row.get("annotations") or {}
        is_whole = isinstance(row.get("digest"), str) and isinstance(notes, dict)
        if not is_whole:
            raise ValueError("what refers to an image has no digest, or odd annotations")
        return cls(
            row["digest"],
            str(row.get("artifactType", "")),
            _size(row),
            {key: str(value) for key, value in notes.items()},
        )


def _size(row: Mapping[str, Any], least: int = 0) -> int:
    size = row.get("size")
    if type(size) is not int or size < least:  # True is an int too
        raise ValueError("a blob has no size")
    return size


def parse_referrers(document: Mapping[str, Any]) -> tuple[Referrer, ...]:
    """Read a list of referrers, which is an index.

    Raises:
        ValueError: It is none.
    """
    return tuple(Referrer.parse(row) for row in read_rows(document, "manifests"))


class Registry(Protocol):
    """Registries by the OCI distribution specification; the repository's host says which one.

    Each call raises RegistryError, with its subclass where one fits. All may be called from
    several threads.
    """

    def find_manifest(self, repository: Repository, pointer: str) -> str | None:
        """Return the digest of what a tag or a digest names, or None where nothing does."""
        ...

    def find_manifests(self, repository: Repository, pointers: Sequence[str]) -> dict[str, str]:
        """Return the digests of those tags and digests that name something."""
        ...

    def read_manifest(self, repository: Repository, pointer: str) -> Manifest:
        """Read a manifest; its digest is that of the bytes that came.

        Raises:
            NotPublishedError: There is none.
        """
        ...

    def write_manifest(self, repository: Repository, pointer: str, manifest: Manifest) -> None:
        """Store a manifest under a tag or under its digest; all that it names must be there."""
        ...

    def has_blob(self, repository: Repository, digest: str) -> bool:
        """Tell whether a repository has a blob."""
        ...

    def mount_blob(self, repository: Repository, digest: str, source: Repository) -> bool:
        """Let a repository have a blob of another one; tell whether that worked."""
        ...

    def write_blob(self, repository: Repository, blob: BlobInfo, source: Path) -> None:
        """Send a file's bytes as a blob."""
        ...

    def fetch_blob(self, repository: Repository, blob: BlobInfo, target: Path) -> None:
        """Write a blob to a file, verified; the file is there whole or not at all."""
        ...

    def find_referrers(self, repository: Repository, digest: str) -> tuple[Referrer, ...] | None:
        """Return what refers to a manifest; None where the registry keeps no list of that."""
        ...

    def tags(self, repository: Repository) -> tuple[str, ...]:
        """Return the tags of a repository, sorted; none where there is no repository."""
        ...
