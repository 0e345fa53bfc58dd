"""Images put into the text of a file, and the text read again: it must say what was meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.deployments.pinning import Pinned, apply_edits, pin_image
from orchestrator.deployments.reading import read_deployment
from orchestrator.deployments.values import DeploymentFile, ImageUse
from orchestrator.siblings import without_tag


@dataclass(frozen=True, slots=True)
class Edited:
    """A text after its edits; `references` is what it names now, for each use of before.

    `broken` are uses that it does not name as they should be: the text is not to be written then.
    """

    text: str
    references: Mapping[ImageUse, str]
    broken: frozenset[ImageUse] = frozenset()


def pin_images(file: DeploymentFile, text: str, pins: Mapping[ImageUse, Pinned]) -> Edited:
    """Put images by digest into a file's text; all others stay as they are.

    Raises:
        ConflictError: Images share a scalar, and would put different things there.
    """
    edits = [edit for use, pinned in pins.items() for edit in pin_image(use, text, pinned)]
    if not edits:
        return Edited(text, {use: use.reference for use in file.uses})
    after = apply_edits(text, edits)
    again = read_deployment(file.path, after).uses
    if len(again) != len(file.uses):
        return Edited(after, {use: use.reference for use in file.uses}, frozenset(pins))
    references = {was: now.reference for was, now in zip(file.uses, again, strict=True)}
    broken = {use for use in file.uses if not _is_meant(use, pins.get(use), references[use])}
    return Edited(after, references, frozenset(broken))


def _is_meant(use: ImageUse, pinned: Pinned | None, reference: str) -> bool:
    if pinned is None:
        return reference == use.reference
    tagged, _, digest = reference.partition("@")
    return (without_tag(tagged), digest) == (pinned.repository, pinned.digest)
