"""Tags that are moved, and what a registry holds read back."""

from __future__ import annotations

from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import (
    Manifest,
    RefusedError,
    Registry,
    TagTakenError,
    VerificationError,
)

_TAG_REFUSALS = {400, 403, 405, 409, 412}
"""How registries answer when a tag may not be moved."""


def move_tag(registry: Registry, repository: Repository, tag: str, manifest: Manifest) -> None:
    """Let a tag name a manifest that is there, and read it back.

    Raises:
        TagTakenError: The registry does not let the tag be moved.
        VerificationError: The tag names something else afterwards.
        RegistryError: The registry refuses for another reason.
    """
    try:
        registry.write_manifest(repository, tag, manifest)
    except RefusedError as error:
        now = registry.find_manifest(repository, tag) if error.status in _TAG_REFUSALS else None
        if now == manifest.digest:  # somebody else was as quick: the tag is right
            return
        if now is None:
            raise
        raise TagTakenError(
            f"{repository}:{tag} names {now} and may not be moved to {manifest.digest}",
            hint="tags of this repository are immutable: push under another one (--tag)",
        ) from error
    read_back(registry, repository, tag, manifest)


def read_back(registry: Registry, repository: Repository, pointer: str, manifest: Manifest) -> None:
    """Compare what a registry holds, byte for byte, with what it was sent.

    Raises:
        VerificationError: It holds something else.
    """
    found = registry.read_manifest(repository, pointer)
    if found.digest != manifest.digest:
        raise VerificationError(
            f"{repository} has {found.digest} as {pointer}, and was sent {manifest.digest}",
            hint="push again; somebody else may push there at this moment",
        )
