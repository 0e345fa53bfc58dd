"""Images to push, pushes of them, and what must hold of a registry whatever happened."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.attest.artifacts import DocumentKind, make_artifact
from orchestrator.oci.image import Blob
from orchestrator.oci.layout import Layout
from orchestrator.publish.credentials import Credentials
from orchestrator.publish.crew import Crew
from orchestrator.publish.http_registry import HttpRegistry
from orchestrator.publish.outgoing import Attached, OutgoingImage, PlatformImage, Pushed
from orchestrator.publish.push import Push
from orchestrator.publish.reference import Repository
from orchestrator.publish.referrers import attach, find_referrers
from orchestrator.publish.registry import BlobInfo, Manifest
from orchestrator.publish.wire import Wire
from tests.images import AMD64, add_image

NAMES = ("base", "api", "web")
SHARED = bytes(range(256)) * 400


class Unwatched:
    """Takes note of nothing."""

    def surveyed(self, images: int, upload_bytes: int) -> None: ...

    def sent(self, size_bytes: int) -> None: ...

    def examining(self, image: OutgoingImage) -> None: ...

    def finished(self, pushed: Pushed) -> None: ...


@dataclass(frozen=True)
class Parcel:
    """Three images, two of which share all their blobs, in a layout."""

    layout: Layout

    @classmethod
    def made(cls, folder: Path) -> Parcel:
        return cls(Layout(folder / "layout"))

    def images(self, host: str, prefix: str) -> list[OutgoingImage]:
        return [self._image(Repository(host, f"{prefix}/{name}"), name) for name in NAMES]

    def _image(self, repository: Repository, name: str) -> OutgoingImage:
        built = add_image(self.layout, SHARED if name != "web" else SHARED + b"web")
        document = self.layout.read_json(built.digest)
        rows = (document["config"], *document["layers"])
        blobs = tuple(sorted(BlobInfo(row["digest"], row["size"]) for row in rows))
        manifest = Manifest(built.manifest.media_type, built.manifest.data)
        image = PlatformImage(AMD64, "f" * 64, manifest, blobs)
        return OutgoingImage(name, repository, (image,), ("latest",), ("fp-1",))


def push(
    layout: Layout,
    images: Sequence[OutgoingImage],
    *,
    known: Credentials | None = None,
    timeout_s: float = 30.0,
    jobs: int = 3,
) -> list[Pushed]:
    """Push images; the registry's faults end in what came of each."""
    with registry_of(known, timeout_s) as (wire, registry):
        crew = Crew(jobs, wire.stop)
        try:
            attest = functools.partial(_attest, registry)
            return Push(registry, crew, layout.blob_path, Unwatched(), attest=attest).run(images)
        finally:
            crew.close()


def _attest(registry: HttpRegistry, image: OutgoingImage) -> Sequence[Attached]:
    """Attach a document to an image that has none."""
    manifest = image.top
    found = find_referrers(registry, image.repository, manifest.digest)
    if not found.known:
        subject = Blob(manifest.media_type, manifest.data)
        artifact = make_artifact(DocumentKind.SBOM, b"a document", subject)
        attach(registry, image.repository, manifest.digest, [artifact], by_tag=found.by_tag)
    return ()


@contextmanager
def registry_of(
    known: Credentials | None = None, timeout_s: float = 30.0
) -> Iterator[tuple[Wire, HttpRegistry]]:
    wire = Wire(actions="pull,push", timeout_s=timeout_s, retry_s=0.01, find=lambda _: known)
    try:
        yield wire, HttpRegistry(wire)
    finally:
        wire.close()


def check_tags_are_whole(
    repositories: Sequence[Repository], known: Credentials | None = None
) -> int:
    """Fail unless everything that is tagged is there with all its parts.

    Returns how many tags there are, those left out that list what refers to an image.
    """
    count = 0
    with registry_of(known) as (_, registry):
        for place in repositories:
            for tag in registry.tags(place):
                count += not tag.startswith("sha256-")
                _check_whole(registry, place, tag)
    return count


def _check_whole(registry: HttpRegistry, place: Repository, pointer: str) -> None:
    document = json.loads(registry.read_manifest(place, pointer).data)
    for item in document.get("manifests", ()):
        _check_whole(registry, place, item["digest"])
    for item in [document["config"], *document["layers"]] if "config" in document else ():
        assert registry.has_blob(place, item["digest"]), f"{place}:{pointer} lacks {item['digest']}"
