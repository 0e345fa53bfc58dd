"""Images that are as they were recorded, told without reading what they are made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from orchestrator import __version__
from orchestrator.fingerprint import FINGERPRINT_VERSION, Fingerprint
from orchestrator.model import Image, Platform, Settings
from orchestrator.remembered.ahead import StampsAhead
from orchestrator.remembered.memory import Kind, Memory
from orchestrator.remembered.stamps import CopiedStamp, CopiedStamps


class Unmoved:
    """Finds the images of recipes to which nothing happened since they were fingerprinted.

    The invariant: a fingerprint is recalled only if all that it follows from is as it was when
    it was taken. That is the recipe's text, the stamp of what the recipe copies, the parents'
    fingerprints, and what all images share: platform, settings, the lock's text, and orch. More
    than needed may be compared, never less: who is not found is fingerprinted from its files.

    Recalled are only fingerprints that equal the recorded one, so what an image is made from need
    not be known: the record has it.
    """

    def __init__(
        self,
        memory: Memory,
        root: Path,
        shared: str,
        platform: Platform,
        recorded: Mapping[str, Fingerprint],
        ahead: StampsAhead | None = None,
    ) -> None:
        self._memory = memory
        self._stamps = CopiedStamps(str(root))
        self._ahead = ahead
        self._shared = shared
        self._prefix = f"{platform} "
        self._recorded = recorded
        self._looked: dict[str, tuple[str, bool]] = {}

    def find(self, image: Image, parents: Mapping[str, Fingerprint]) -> Fingerprint | None:
        """Return the recorded fingerprint of an image if it is still that; else None."""
        stamp = self._stamp_of(image) if image.recipe.sha256 else None
        if stamp is None:
            return None
        key = self._key_of(image, stamp, parents)
        self._looked[image.name] = key, stamp.was_settled
        recorded = self._recorded.get(image.name)
        if recorded is None:
            return None
        known = self._memory.recall(Kind.FINGERPRINT, self._subject_of(image), key)
        return recorded if known == recorded.digest else None

    def note(self, image: Image, fingerprint: Fingerprint) -> None:
        """Remember a fingerprint that was taken after `find` looked at the image's files."""
        key, was_settled = self._looked.get(image.name, ("", False))
        if was_settled:
            subject = self._subject_of(image)
            self._memory.remember(Kind.FINGERPRINT, subject, key, fingerprint.digest)

    def _stamp_of(self, image: Image) -> CopiedStamp | None:
        known = self._ahead.of(image) if self._ahead else None
        return known or self._stamps.of(str(image.path), image.recipe.files)

    def _subject_of(self, image: Image) -> str:
        return self._prefix + image.name

    def _key_of(self, image: Image, stamp: CopiedStamp, parents: Mapping[str, Fingerprint]) -> str:
        above = "".join(f" {name} {parent.digest}" for name, parent in parents.items())
        text = f"{self._shared} {image.recipe.sha256} {image.file} {stamp.text}{above}"
        return hashlib.sha256(text.encode()).hexdigest()


def shared_by_all(platform: Platform, settings: Settings, lock_text: str) -> str:
    """Return the digest of what the fingerprints of all recipes follow from."""
    lock = hashlib.sha256(lock_text.encode()).hexdigest()
    text = json.dumps([__version__, FINGERPRINT_VERSION, platform.key, repr(settings), lock])
    return hashlib.sha256(text.encode()).hexdigest()
