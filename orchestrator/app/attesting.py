"""What is published about images that are pushed: their bills of materials, where they are from."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.app.opened import Opened
from orchestrator.attest.artifacts import KIND, Artifact, DocumentKind, make_artifact
from orchestrator.attest.provenance import Member
from orchestrator.model import Platform
from orchestrator.oci.image import Blob
from orchestrator.plan import Step
from orchestrator.publish.outgoing import Attached, OutgoingImage
from orchestrator.publish.referrers import attach, find_referrers
from orchestrator.publish.registry import Manifest, Referrer, RefusedError, Registry, TagTakenError

if TYPE_CHECKING:
    from orchestrator.app.told import Told


@dataclass(frozen=True, slots=True)
class _Subject:
    """A manifest that documents are about: of a platform, or of all together."""

    manifest: Manifest
    platform: Platform | None
    kinds: Collection[DocumentKind]


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
        """Attach what an image lacks, to each platform and the index; return what refers to them.

        Raises:
            RegistryError: The registry does not answer; or it takes none, and they are required.
            OrchError: The lock or the settings cannot be read any more.
        """
        try:
            return tuple(a for one in self._subjects(image) for a in self._attach(image, one))
        except (RefusedError, TagTakenError) as error:
            if self.required:
                raise
            if not self._refused.is_set():
                self._refused.set()
                self.notes.append(f"published without an SBOM or provenance: {error.in_a_line}")
            return ()

    def _attach(self, image: OutgoingImage, subject: _Subject) -> Iterator[Attached]:
        if not subject.kinds:
            return
        digest, place = subject.manifest.digest, image.repository
        referrers = find_referrers(self.registry, place, digest)
        known = {row.annotations.get(KIND): row for row in referrers.known}
        lacking = [kind for kind in subject.kinds if kind.value not in known]
        made = {kind: self._make(kind, image, subject) for kind in lacking}
        attach(self.registry, place, digest, made.values(), by_tag=referrers.by_tag)
        for kind in subject.kinds:
            row = Referrer.parse(made[kind].descriptor) if kind in made else known[kind.value]
            yield Attached(
                subject.platform,
                kind.value,
                row.artifact_type,
                row.digest,
                row.size_bytes,
                is_new=kind in made,
            )

    def _subjects(self, image: OutgoingImage) -> Iterator[_Subject]:
        """Yield what gets documents: an index consists of nothing, but it is from somewhere."""
        for one in image.platforms:
            yield _Subject(one.manifest, one.platform, self.kinds)
        if image.index:
            kinds = [kind for kind in self.kinds if kind is DocumentKind.PROVENANCE]
            yield _Subject(image.index, None, kinds)

    def _make(self, kind: DocumentKind, image: OutgoingImage, subject: _Subject) -> Artifact:
        manifest = subject.manifest
        with self._lock:  # it is computing, which threads do not speed up, and reads layers once
            document = self._document(kind, image, subject)
        return make_artifact(kind, document, Blob(manifest.media_type, manifest.data))

    def _document(self, kind: DocumentKind, image: OutgoingImage, subject: _Subject) -> bytes:
        digest, place = subject.manifest.digest, image.repository.name
        if subject.platform is None:
            members = [
                Member(one.platform, one.manifest.digest, one.fingerprint)
                for one in image.platforms
            ]
            return self._told.index_provenance(image.name, place, digest, members)
        if kind is DocumentKind.SBOM:
            return self._told.sbom(image.name, subject.platform, digest)
        return self._told.provenance(self.steps[image.name][subject.platform], place, digest)

    @cached_property
    def _told(self) -> Told:
        from orchestrator.app.told import Told as Teller  # noqa: PLC0415 - slow to import

        return Teller(self.opened)
