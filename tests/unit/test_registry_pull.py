"""Pulling finds the platform's image and takes no byte that is not what its digest says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.oci.image import INDEX_MEDIA_TYPE
from orchestrator.oci.layout import Layout
from orchestrator.publish.crew import Crew
from orchestrator.publish.http_registry import HttpRegistry
from orchestrator.publish.pull import fetch_image, find_image
from orchestrator.publish.reference import Reference, Repository
from orchestrator.publish.registry import (
    BlobInfo,
    Manifest,
    NotPublishedError,
    RegistryError,
    VerificationError,
)
from orchestrator.publish.wire import Wire
from tests.fakes import FakeRegistry
from tests.images import AMD64, ARM64, add_image
from tests.registries import TinyRegistry

PLACE = Repository("registry.example.com", "team/base")


@pytest.fixture
def crew() -> Iterator[Crew]:
    crew = Crew(2, lambda: None)
    yield crew
    crew.close()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "from")


def put(registry: FakeRegistry | HttpRegistry, layout: Layout, place: Repository) -> list[Manifest]:
    """Put an image of two platforms there; return its index, then the manifests."""
    manifests, rows = [], []
    for platform in (ARM64, AMD64):
        built = add_image(layout, platform.key.encode(), platform)
        document = layout.read_json(built.digest)
        for item in (document["config"], *document["layers"]):
            blob = BlobInfo(item["digest"], item["size"])
            registry.write_blob(place, blob, layout.blob_path(blob.digest))
        manifests.append(Manifest(built.manifest.media_type, built.manifest.data))
        registry.write_manifest(place, built.digest, manifests[-1])
        known = {"os": platform.os, "architecture": platform.architecture}
        rows.append({**built.manifest.descriptor, "platform": known})
    index = Manifest(INDEX_MEDIA_TYPE, json.dumps({"manifests": rows}).encode())
    registry.write_manifest(place, "v1", index)
    return [index, *manifests]


def test_the_platforms_own_manifest_is_found_and_the_index_is_what_is_pinned(
    layout: Layout,
) -> None:
    registry = FakeRegistry()
    index, arm, amd = put(registry, layout, PLACE)
    for platform, manifest in ((AMD64, amd), (ARM64, arm)):
        found = find_image(registry, Reference(PLACE, "v1"), platform)
        assert found.digest == index.digest
        assert found.manifest == manifest


def test_an_image_of_one_platform_is_pinned_by_its_manifest(layout: Layout) -> None:
    registry = FakeRegistry()
    _, arm, _ = put(registry, layout, PLACE)
    found = find_image(registry, Reference(PLACE, digest=arm.digest), ARM64)
    assert found.digest == arm.digest == found.manifest.digest


def test_a_platform_that_is_not_there_is_an_error_that_names_those_that_are(
    layout: Layout,
) -> None:
    registry = FakeRegistry()
    index, _, _ = put(registry, layout, PLACE)
    document = json.loads(index.data)
    document["manifests"] = document["manifests"][:1]
    only_arm = Manifest(INDEX_MEDIA_TYPE, json.dumps(document).encode())
    registry.write_manifest(PLACE, "v1", only_arm)
    with pytest.raises(NotPublishedError, match="linux/amd64") as raised:
        find_image(registry, Reference(PLACE, "v1"), AMD64)
    assert "linux/arm64" in raised.value.hint


@pytest.mark.parametrize("data", [b"no json", b"[]", b'{"layers": []}', b'{"config": {}}'])
def test_what_is_no_image_is_an_error(data: bytes) -> None:
    registry = FakeRegistry()
    manifest = Manifest("application/octet-stream", data)
    registry.manifests[PLACE, manifest.digest] = manifest
    with pytest.raises(RegistryError, match=r"is no (image|JSON)"):
        find_image(registry, Reference(PLACE, digest=manifest.digest), AMD64)


def test_blobs_come_once_and_verified(layout: Layout, tmp_path: Path, crew: Crew) -> None:
    with TinyRegistry().running() as tiny:
        wire = Wire(actions="pull,push", retry_s=0.0, find=lambda _: None)
        registry, place = HttpRegistry(wire), Repository(tiny.address, "team/base")
        put(registry, layout, place)
        image = find_image(registry, Reference(place, "v1"), AMD64)
        target = Layout(tmp_path / "to")
        fetch_image(registry, crew, image, target.blob_path)
        for blob in (image.config, *image.layers):
            there = layout.blob_path(blob.digest).read_bytes()
            assert target.blob_path(blob.digest).read_bytes() == there
        tiny.asked.clear()
        fetch_image(registry, crew, image, target.blob_path)
        assert not tiny.asked
        (layer,) = image.layers
        target.blob_path(layer.digest).unlink()
        tiny.blobs[place.name, layer.digest] = b"x" * layer.size_bytes
        with pytest.raises(VerificationError):
            fetch_image(registry, crew, image, target.blob_path)
        assert not target.blob_path(layer.digest).exists()
        wire.close()
