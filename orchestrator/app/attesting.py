"""What is published about images that are pushed: their bills of materials, where they are from."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.app.opened import Opened
from orchestrator.attest.artifacts import KIND, Artifact, DocumentKind, make_artifact
from orchestrator.model import Platform
from orchestrator.oci.image import Blob
from orchestrator.plan import Step
from orchestrator.publish.outgoing import Attached, OutgoingImage, PlatformImage
from orchestrator.publish.referrers import attach, find_referrers
from orchestrator.publish.registry import Referrer, RefusedError, Registry, TagTakenError

if TYPE_CHECKING:
    from orchestrator.app.told import Told


@dataclass(frozen=True)
class Attestations:
    """Attaches documents to images in a registry; threads may share one.

    An image that has a document of a kind gets no other: it is about what does not change. A
    registry that takes none is named in `notes`, or fails the image where they are `required`.
    """

    opened: Opened
    registry: Registry
    steps: Mapping[str, Mapping[Platform, Step]]
    notes: list[str]
    kinds: Collection[DocumentKind]
    required: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _refused: threading.Event = field(default_factory=threading.Event)

    def attach(self, image: OutgoingImage) -> tuple[Attached, ...]:
        """Attach what an image lacks, to each of its platforms; return what refers to it then.

        Raises:
            RegistryError: The registry does not answer; or it takes none, and they are required.
            OrchError: The lock or the settings cannot be read any more.
        """
        try:
            return tuple(item for one in image.platforms for item in self._attach(image, one))
        except (RefusedError, TagTakenError) as error:
            if self.required:
                raise
            if not self._refused.is_set():
                self._refused.set()
                self.notes.append(f"published without an SBOM or provenance: {error}")
            return ()

    def _attach(self, image: OutgoingImage, item: PlatformImage) -> Iterator[Attached]:
        if not self.kinds:
            return
        digest, place = item.manifest.digest, image.repository
        referrers = find_referrers(self.registry, place, digest)
        known = {row.annotations.get(KIND): row for row in referrers.known}
        lacking = [kind for kind in self.kinds if kind.value not in known]
        made = {kind: self._make(kind, image, item) for kind in lacking}
        attach(self.registry, place, digest, made.values(), by_tag=referrers.by_tag)
        for kind in self.kinds:
            row = Referrer.parse(made[kind].descriptor) if kind in made else known[kind.value]
            yield Attached(
                item.platform,
                kind.value,
                row.artifact_type,
                row.digest,
                row.size_bytes,
                is_new=kind in made,
            )

    def _make(self, kind: DocumentKind, image: OutgoingImage, item: PlatformImage) -> Artifact:
        step, subject = self.steps[image.name][item.platform], image.repository.name
        with self._lock:  # it is computing, which threads do not speed up, and reads layers once
            document = (
                self._told.sbom(image.name, item.platform, item.manifest.digest)
                if kind is DocumentKind.SBOM
                else self._told.provenance(step, subject, item.manifest.digest)
            )
        return make_artifact(kind, document, Blob(item.manifest.media_type, item.manifest.data))

    @cached_property
    def _told(self) -> Told:
        from orchestrator.app.told import Told as Teller  # noqa: PLC0415 - slow to import

        return Teller(self.opened)
