"""What every registry does, the fake one and the real ones: inherited by a test class for each."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path

import pytest

from orchestrator.attest.artifacts import KIND, DocumentKind, make_artifact
from orchestrator.oci.image import MANIFEST_MEDIA_TYPE, Blob, make_index
from orchestrator.publish.reference import Repository
from orchestrator.publish.referrers import attach, find_referrers
from orchestrator.publish.registry import (
    BlobInfo,
    Manifest,
    NotPublishedError,
    RefusedError,
    Registry,
    RegistryError,
)

CONTENT = b"a layer" * 1000


def blob_of(content: bytes) -> BlobInfo:
    return BlobInfo("sha256:" + hashlib.sha256(content).hexdigest(), len(content))


def manifest_of(*blobs: BlobInfo, note: str = "") -> Manifest:
    """Return a manifest whose config is the first of some blobs."""
    described = [
        {"mediaType": "application/octet-stream", "digest": blob.digest, "size": blob.size_bytes}
        for blob in blobs
    ]
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_MEDIA_TYPE,
        "config": described[0],
        "layers": described[1:],
        "annotations": {"note": note},
    }
    return Manifest(MANIFEST_MEDIA_TYPE, json.dumps(document).encode())


class RegistryContract:
    """Needs fixtures `registry_under_test` and `host`."""

    @pytest.fixture
    def place(self, host: str) -> Repository:
        """A repository that nobody used before."""
        return Repository(host, f"team/{uuid.uuid4().hex}")

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "blob"
        path.write_bytes(CONTENT)
        return path

    def put(self, registry: Registry, place: Repository, file: Path, note: str = "") -> Manifest:
        blob = blob_of(CONTENT)
        if not registry.has_blob(place, blob.digest):
            registry.write_blob(place, blob, file)
        manifest = manifest_of(blob, blob, note=note)
        registry.write_manifest(place, manifest.digest, manifest)
        return manifest

    def test_an_empty_repository_has_nothing(
        self, registry_under_test: Registry, place: Repository
    ) -> None:
        digest = blob_of(CONTENT).digest
        assert not registry_under_test.has_blob(place, digest)
        assert registry_under_test.find_manifest(place, "latest") is None
        assert registry_under_test.find_manifest(place, digest) is None
        assert registry_under_test.tags(place) == ()
        with pytest.raises(NotPublishedError):
            registry_under_test.read_manifest(place, "latest")

    def test_a_blob_comes_back_as_it_was_sent(
        self, registry_under_test: Registry, place: Repository, file: Path, tmp_path: Path
    ) -> None:
        blob = blob_of(CONTENT)
        registry_under_test.write_blob(place, blob, file)
        assert registry_under_test.has_blob(place, blob.digest)
        registry_under_test.fetch_blob(place, blob, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == CONTENT

    def test_an_empty_blob_is_a_blob(
        self, registry_under_test: Registry, place: Repository, tmp_path: Path
    ) -> None:
        (tmp_path / "empty").write_bytes(b"")
        blob = blob_of(b"")
        registry_under_test.write_blob(place, blob, tmp_path / "empty")
        assert registry_under_test.has_blob(place, blob.digest)

    def test_a_blob_that_is_not_there_is_not_fetched(
        self, registry_under_test: Registry, place: Repository, tmp_path: Path
    ) -> None:
        with pytest.raises(RefusedError):
            registry_under_test.fetch_blob(place, blob_of(CONTENT), tmp_path / "back")
        assert not (tmp_path / "back").exists()

    def test_a_damaged_file_is_refused(
        self, registry_under_test: Registry, place: Repository, file: Path
    ) -> None:
        file.write_bytes(CONTENT[:-1] + b"!")
        with pytest.raises(RegistryError, match="damaged"):
            registry_under_test.write_blob(place, blob_of(CONTENT), file)
        assert not registry_under_test.has_blob(place, blob_of(CONTENT).digest)

    def test_a_manifest_comes_back_byte_for_byte(
        self, registry_under_test: Registry, place: Repository, file: Path
    ) -> None:
        manifest = self.put(registry_under_test, place, file)
        registry_under_test.write_manifest(place, "v1", manifest)
        assert registry_under_test.read_manifest(place, "v1") == manifest
        assert registry_under_test.read_manifest(place, manifest.digest) == manifest
        assert registry_under_test.find_manifest(place, "v1") == manifest.digest

    def test_a_manifest_whose_blobs_lack_is_refused(
        self, registry_under_test: Registry, place: Repository
    ) -> None:
        manifest = manifest_of(blob_of(CONTENT))
        with pytest.raises(RefusedError):
            registry_under_test.write_manifest(place, "v1", manifest)
        assert registry_under_test.find_manifest(place, "v1") is None

    def test_a_tag_moves(
        self, registry_under_test: Registry, place: Repository, file: Path
    ) -> None:
        for note in ("old", "new"):
            manifest = self.put(registry_under_test, place, file, note)
            registry_under_test.write_manifest(place, "v1", manifest)
        assert registry_under_test.find_manifest(place, "v1") == manifest.digest

    def test_of_many_pointers_those_that_name_something_are_found(
        self, registry_under_test: Registry, place: Repository, file: Path
    ) -> None:
        assert registry_under_test.find_manifests(place, ("v1", "v2")) == {}
        digest = self.put(registry_under_test, place, file).digest
        manifest = registry_under_test.read_manifest(place, digest)
        for tag in ("v1", "v2"):
            registry_under_test.write_manifest(place, tag, manifest)
        found = registry_under_test.find_manifests(place, ("v1", "none", digest, "v2"))
        assert found == dict.fromkeys(("v1", "v2", digest), digest)
        assert registry_under_test.find_manifests(place, ()) == {}

    def test_tags_are_told_sorted(
        self, registry_under_test: Registry, place: Repository, file: Path
    ) -> None:
        manifest = self.put(registry_under_test, place, file)
        for tag in ("v3", "v1", "v5", "v2", "v4"):
            registry_under_test.write_manifest(place, tag, manifest)
        assert registry_under_test.tags(place) == ("v1", "v2", "v3", "v4", "v5")

    def test_an_index_names_manifests_that_are_there(
        self, registry_under_test: Registry, place: Repository, file: Path
    ) -> None:
        manifest = self.put(registry_under_test, place, file)
        descriptor = {
            "mediaType": manifest.media_type,
            "digest": manifest.digest,
            "size": len(manifest.data),
            "platform": {"architecture": "amd64", "os": "linux"},
        }
        blob = make_index({"linux/amd64": descriptor})
        index = Manifest(blob.media_type, blob.data)
        registry_under_test.write_manifest(place, "v1", index)
        assert registry_under_test.read_manifest(place, "v1") == index

    def test_a_blob_is_mounted_from_another_repository(
        self, registry_under_test: Registry, place: Repository, file: Path
    ) -> None:
        blob = blob_of(CONTENT)
        registry_under_test.write_blob(place, blob, file)
        other = Repository(place.host, f"{place.name}-other")
        assert registry_under_test.mount_blob(other, blob.digest, place)
        assert registry_under_test.has_blob(other, blob.digest)

    def test_what_is_not_there_is_not_mounted(
        self, registry_under_test: Registry, place: Repository
    ) -> None:
        other = Repository(place.host, f"{place.name}-other")
        assert not registry_under_test.mount_blob(other, blob_of(CONTENT).digest, place)
        assert not registry_under_test.has_blob(other, blob_of(CONTENT).digest)

    def test_what_refers_to_a_manifest_is_found_and_leaves_it_as_it_is(
        self, registry_under_test: Registry, place: Repository, file: Path
    ) -> None:
        subject = self.put(registry_under_test, place, file)
        registry_under_test.write_manifest(place, "v1", subject)
        found = find_referrers(registry_under_test, place, subject.digest)
        assert found.known == ()
        sbom, provenance = DocumentKind.SBOM, DocumentKind.PROVENANCE
        for kind, document in ((sbom, b"1"), (provenance, b"2"), (sbom, b"3")):
            artifact = make_artifact(kind, document, Blob(subject.media_type, subject.data))
            for _ in range(2):
                attach(registry_under_test, place, subject.digest, [artifact], by_tag=found.by_tag)
        known = find_referrers(registry_under_test, place, subject.digest).known
        assert {item.annotations[KIND]: item.artifact_type for item in known} == {
            "sbom": "application/vnd.cyclonedx+json",
            "provenance": "application/vnd.in-toto+json",
        }
        assert len(known) == 3
        assert registry_under_test.read_manifest(place, "v1") == subject
        tags = {"v1"} | ({subject.digest.replace(":", "-")} if found.by_tag else set())
        assert set(registry_under_test.tags(place)) == tags

    def test_of_two_that_refer_to_different_manifests_each_is_found_with_its_own(
        self, registry_under_test: Registry, place: Repository, file: Path
    ) -> None:
        subjects = [self.put(registry_under_test, place, file, note) for note in ("a", "b")]
        by_tag = find_referrers(registry_under_test, place, subjects[0].digest).by_tag
        made = {}
        for subject in subjects:
            blob = Blob(subject.media_type, subject.data)
            artifact = make_artifact(DocumentKind.SBOM, b"{}", blob)
            attach(registry_under_test, place, subject.digest, [artifact], by_tag=by_tag)
            made[subject.digest] = artifact.manifest.digest
        for subject in subjects:
            found = find_referrers(registry_under_test, place, subject.digest)
            assert [item.digest for item in found.known] == [made[subject.digest]]
