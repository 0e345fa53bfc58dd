"""What a push is about: images as a registry will hold them, and what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from orchestrator.errors import InterruptedByUserError, OrchError
from orchestrator.model import Platform
from orchestrator.publish.findings import Verdict
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import BlobInfo, Manifest


@dataclass(frozen=True, slots=True)
class PlatformImage:
    """An image for one platform: its manifest, and the blobs that this names."""

    platform: Platform
    fingerprint: str
    manifest: Manifest
    blobs: tuple[BlobInfo, ...]

    @property
    def size_bytes(self) -> int:
        """Return what the image weighs in a registry."""
        return len(self.manifest.data) + sum(blob.size_bytes for blob in self.blobs)


@dataclass(frozen=True, slots=True)
class OutgoingImage:
    """An image to be published; of several platforms it has an index.

    `tags` are those of the image, `content_tags` say what each platform was made from, by
    platform. `sources` are repositories that may have blobs of it already, the likeliest first.
    """

    name: str
    repository: Repository
    platforms: tuple[PlatformImage, ...]
    tags: tuple[str, ...]
    content_tags: tuple[str, ...] = ()
    index: Manifest | None = None
    sources: tuple[Repository, ...] = ()

    @property
    def top(self) -> Manifest:
        """Return what the tags name: the index, or the only manifest."""
        return self.index or self.platforms[0].manifest

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """Return what is to be stored, in the order in which it may be."""
        own = tuple(image.manifest for image in self.platforms)
        return (*own, self.index) if self.index else own

    @property
    def named(self) -> dict[str, Manifest]:
        """Return what each tag is to name; tags of the content come first."""
        content = zip(self.content_tags, self.platforms, strict=True) if self.content_tags else ()
        return {
            **{tag: image.manifest for tag, image in content},
            **dict.fromkeys(self.tags, self.top),
        }

    @property
    def blobs(self) -> tuple[BlobInfo, ...]:
        """Return the blobs of all platforms, each once."""
        return tuple(sorted({blob for image in self.platforms for blob in image.blobs}))

    @property
    def size_bytes(self) -> int:
        """Return what all its blobs and manifests weigh."""
        manifests = sum(len(manifest.data) for manifest in self.manifests)
        return manifests + sum(blob.size_bytes for blob in self.blobs)


class Transfer(Enum):
    """How a blob came into a repository."""

    UPLOADED = "uploaded"
    MOUNTED = "mounted"
    SKIPPED = "skipped"


class PushStatus(Enum):
    """What came of an image."""

    PUSHED = "pushed"
    UNCHANGED = "unchanged"
    PLANNED = "planned"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNAVAILABLE = "unavailable"


class TagStatus(Enum):
    """What came of a tag."""

    MOVED = "moved"
    UNCHANGED = "unchanged"
    PLANNED = "planned"
    UNTOUCHED = "untouched"


@dataclass(frozen=True, slots=True)
class ImageDetails:
    """What a registry knows of an image besides; `pushed` is when, as ISO 8601."""

    pushed: str
    size_bytes: int
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attached:
    """A document that refers to an image on one platform; `is_new` if this push put it there.

    It refers to the index where it is of no platform.
    """

    platform: Platform | None
    kind: str
    artifact_type: str
    digest: str
    size_bytes: int
    is_new: bool


@dataclass(slots=True)
class Pushed:
    """What came of an image; `digest` is the one that was read back from the registry.

    `beside_bytes` were sent for documents that lie beside it.
    """

    image: OutgoingImage
    status: PushStatus = PushStatus.CANCELLED
    digest: str = ""
    blobs: dict[BlobInfo, Transfer] = field(default_factory=dict)
    tags: dict[str, TagStatus] = field(default_factory=dict)
    beside_bytes: int = 0
    referrers: Sequence[Attached] = ()
    retries: int = 0
    duration_s: float = 0.0
    verdict: Verdict | None = None
    details: ImageDetails | None = None
    error: OrchError | None = None

    def cancel(self) -> None:
        """Note that the image is not tagged, as long as nothing else is noted."""
        self.status, self.digest = PushStatus.CANCELLED, ""
        moved = TagStatus.MOVED
        self.tags = {t: s if s is moved else TagStatus.UNTOUCHED for t, s in self.tags.items()}

    def give_up(self) -> None:
        """Note that the user stopped it."""
        self.cancel()
        self.error = InterruptedByUserError("the push was given up")

    def bytes_of(self, transfer: Transfer) -> int:
        """Return the size of the blobs that came in one way."""
        return sum(blob.size_bytes for blob, how in self.blobs.items() if how is transfer)

    def count_of(self, transfer: Transfer) -> int:
        """Return how many blobs came in one way."""
        return sum(how is transfer for how in self.blobs.values())
