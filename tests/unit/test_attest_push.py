"""Documents refer to images that are pushed, once each, and leave them as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.attest.artifacts import KIND, DocumentKind, make_artifact
from orchestrator.attest.provenance import INDEX_BUILD_TYPE
from orchestrator.oci.image import Blob, canonical_json
from orchestrator.publish.http_registry import HttpRegistry
from orchestrator.publish.reference import Repository
from orchestrator.publish.referrers import attach, find_referrers, referrers_tag
from orchestrator.publish.registry import (
    Manifest,
    RefusedError,
    Registry,
    TagTakenError,
    VerificationError,
)
from orchestrator.publish.wire import Wire
from tests.fakes import FakeRegistry
from tests.helpers import ROOT, write_lock, write_tree, write_workspace
from tests.registries import Fault, TinyRegistry, answering
from tests.registry_contract import CONTENT, blob_of, manifest_of
from tests.verbs import Orch, Ran, forget_credentials, run_orch

FILES = "[[files]]\nfrom = 'src'\nto = '/app'\n"
INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture
def tiny() -> Iterator[TinyRegistry]:
    with TinyRegistry().running() as tiny:
        yield tiny


@pytest.fixture
def ws(tmp_path: Path, orch_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    forget_credentials(monkeypatch, tmp_path / "home")
    recipes = {"base/a": f'from = "{ROOT}"\n{FILES}', "services/s": f'from = "a"\n{FILES}'}
    root = write_workspace(tmp_path / "ws", recipes)
    for folder in recipes:
        write_tree(root, {f"{folder}/src/x.txt": folder})
    settings = root / "orch.toml"
    settings.write_text('platforms = ["linux/amd64", "linux/arm64"]\n' + settings.read_text())
    write_lock(root)
    return root


@pytest.fixture
def orch(ws: Path, tiny: TinyRegistry, capsys: pytest.CaptureFixture[str]) -> Orch:
    """Return `orch -C WORKSPACE ...` as a function, in a workspace that is built."""

    def run(*arguments: str) -> Ran:
        more = ["--registry", f"{tiny.address}/team"] if arguments[0] == "push" else []
        return run_orch(capsys, "-C", ws, *arguments, *more)

    assert run("build", "--platform", "linux/amd64").code == 0
    return run


def push(orch: Orch, *arguments: str) -> dict[str, Any]:
    ran = orch("push", "--format", "json", *arguments)
    assert ran.code == 0, ran.err
    return {image["name"]: image for image in ran.data["images"]}


def statuses(image: dict[str, Any]) -> dict[str, str]:
    return {row["kind"]: row["status"] for row in image["referrers"]}


def held(tiny: TinyRegistry, name: str, row: dict[str, Any]) -> bytes:
    """Return the document of a row of the report."""
    _, data = tiny.manifests[f"team/{name}", row["digest"]]
    assert len(data) == row["size_bytes"]
    manifest = json.loads(data)
    assert manifest["artifactType"] == row["artifact_type"]
    return tiny.blobs[f"team/{name}", manifest["layers"][0]["digest"]]


def test_each_image_gets_an_sbom_and_provenance_that_refer_to_it(
    orch: Orch, tiny: TinyRegistry
) -> None:
    for name, image in push(orch).items():
        assert statuses(image) == {"sbom": "attached", "provenance": "attached"}
        rows = {row["kind"]: row for row in image["referrers"]}
        for row in rows.values():
            _, data = tiny.manifests[f"team/{name}", row["digest"]]
            assert json.loads(data)["subject"]["digest"] == image["digest"]
        statement = json.loads(held(tiny, name, rows["provenance"]))
        assert statement["subject"][0] == {
            "name": f"team/{name}",
            "digest": {"sha256": image["digest"][7:]},
        }
        assert tiny.address not in json.dumps(statement)
        assert held(tiny, name, rows["sbom"]) == orch("sbom", name).out.encode().rstrip(b"\n")


def test_an_image_has_the_same_digest_with_documents_and_without(
    orch: Orch, tiny: TinyRegistry
) -> None:
    without = {name: image["digest"] for name, image in push(orch, "--no-attest").items()}
    assert not [data for _, data in tiny.manifests.values() if b"subject" in data]
    tiny.manifests.clear()
    tiny.tags.clear()
    with_them = push(orch)
    assert {name: image["digest"] for name, image in with_them.items()} == without
    assert all(len(image["referrers"]) == 2 for image in with_them.values())


def test_each_platform_has_its_own_and_the_index_names_the_platforms(
    orch: Orch, tiny: TinyRegistry
) -> None:
    assert orch("build", "--platform", "linux/arm64").code == 0
    image = push(orch, "a")["a"]
    digests = {row["platform"]: row["digest"] for row in image["platforms"]}
    index = json.loads(tiny.manifests["team/a", image["digest"]][1])
    assert {row["digest"] for row in index["manifests"]} == set(digests.values())
    rows = [row for row in image["referrers"] if row["platform"]]
    assert len({row["digest"] for row in rows}) == 4
    for row in rows:
        _, data = tiny.manifests["team/a", row["digest"]]
        assert json.loads(data)["subject"]["digest"] == digests[row["platform"]]
        assert row["platform"] in held(tiny, "a", row).decode()


def test_an_index_has_provenance_of_its_own_that_names_its_images(
    orch: Orch, tiny: TinyRegistry
) -> None:
    assert orch("build", "--platform", "linux/arm64").code == 0
    image = push(orch, "a")["a"]
    (row,) = (row for row in image["referrers"] if not row["platform"])
    assert row["kind"] == "provenance"
    _, data = tiny.manifests["team/a", row["digest"]]
    subject = json.loads(data)["subject"]
    assert (subject["digest"], subject["mediaType"]) == (image["digest"], INDEX)
    statement = json.loads(held(tiny, "a", row))
    assert statement["subject"] == [{"name": "team/a", "digest": {"sha256": image["digest"][7:]}}]
    definition = statement["predicate"]["buildDefinition"]
    assert definition["buildType"] == INDEX_BUILD_TYPE
    assert definition["externalParameters"] == {
        "image": "a",
        "platforms": ["linux/amd64", "linux/arm64"],
    }
    assert definition["internalParameters"] == {
        "fingerprints": {one["platform"]: one["fingerprint"] for one in image["platforms"]}
    }
    assert definition["resolvedDependencies"] == [
        {"name": one["platform"], "digest": {"sha256": one["digest"][7:]}}
        for one in image["platforms"]
    ]
    again = push(orch, "a", "--tag", "v2")["a"]["referrers"]
    assert {**row, "status": "there"} in again


def test_an_index_has_no_documents_where_only_an_sbom_is_wanted(orch: Orch, ws: Path) -> None:
    settings = ws / "orch.toml"
    settings.write_text(settings.read_text() + '[attest]\ndocuments = ["sbom"]\n')
    assert orch("build", "--platform", "linux/arm64").code == 0
    rows = push(orch, "a")["a"]["referrers"]
    assert [(row["platform"], row["kind"]) for row in rows] == [
        ("linux/amd64", "sbom"),
        ("linux/arm64", "sbom"),
    ]


def test_pushing_again_asks_for_no_documents(orch: Orch, tiny: TinyRegistry) -> None:
    push(orch)
    tiny.asked.clear()
    again = push(orch)
    assert all(image["referrers"] == [] for image in again.values())
    assert {line.partition(" ")[0] for line in tiny.asked} == {"HEAD"}


def test_an_image_that_gets_another_tag_keeps_the_documents_that_it_has(
    orch: Orch, tiny: TinyRegistry
) -> None:
    first = push(orch)
    before = dict(tiny.manifests)
    again = push(orch, "--tag", "v2")
    for name, image in again.items():
        assert statuses(image) == {"sbom": "there", "provenance": "there"}
        shown = [{**row, "status": "attached"} for row in image["referrers"]]
        assert shown == first[name]["referrers"]
    assert tiny.manifests == before


def test_documents_can_be_asked_for_of_what_was_published_without(
    orch: Orch, tiny: TinyRegistry
) -> None:
    push(orch, "--no-attest")
    image = push(orch, "--attest", "a")["a"]
    assert image["status"] == "unchanged"
    assert statuses(image) == {"sbom": "attached", "provenance": "attached"}


def test_a_registry_that_lists_nothing_has_the_list_under_a_tag(
    orch: Orch, tiny: TinyRegistry
) -> None:
    tiny.lists_referrers = False
    image = push(orch)["s"]
    tag = image["digest"].replace(":", "-")
    listed = json.loads(tiny.manifests["team/s", tiny.tags["team/s", tag]][1])
    assert {row["digest"] for row in listed["manifests"]} == {
        row["digest"] for row in image["referrers"]
    }
    assert {row["annotations"][KIND] for row in listed["manifests"]} == {"sbom", "provenance"}
    assert tag not in {row["tag"] for row in image["tags"]}
    assert statuses(push(orch, "--tag", "v2")["s"]) == {"sbom": "there", "provenance": "there"}


def test_a_registry_that_takes_no_documents_is_a_warning(orch: Orch, tiny: TinyRegistry) -> None:
    tiny.artifacts = False
    ran = orch("push")
    assert ran.code == 0
    assert ran.err.count("published without an SBOM or provenance: ") == 1
    assert {tag for _, tag in tiny.tags} >= {"latest"}


@pytest.mark.parametrize("demand", ["--attest", "settings"])
def test_where_they_are_required_nothing_is_tagged_without(
    orch: Orch, ws: Path, tiny: TinyRegistry, demand: str
) -> None:
    tiny.artifacts = False
    more = [demand] if demand != "settings" else []
    if not more:
        (ws / "orch.toml").write_text(
            (ws / "orch.toml").read_text() + "[attest]\nrequired = true\n"
        )
    ran = orch("push", *more)
    assert ran.code == 1
    assert "failed a: " in ran.err
    assert not tiny.tags


def test_the_settings_say_which_documents(orch: Orch, ws: Path) -> None:
    text = (ws / "orch.toml").read_text()
    (ws / "orch.toml").write_text(text + '[attest]\ndocuments = ["sbom"]\n')
    assert statuses(push(orch)["a"]) == {"sbom": "attached"}
    (ws / "orch.toml").write_text(text + '[attest]\ndocuments = ["sbam"]\n')
    ran = orch("push")
    assert ran.code == 2
    assert "there is no document 'sbam'" in ran.err
    (ws / "orch.toml").write_text(text + '[attest]\nbuilder = "https://ann:secret@ci"\n')
    assert orch("push").code == 2


def test_an_sbom_is_written_to_a_file(orch: Orch, tmp_path: Path) -> None:
    file = tmp_path / "a.cdx.json"
    ran = orch("sbom", "a", "--output", str(file))
    assert (ran.code, ran.out) == (0, "")
    assert json.loads(file.read_text())["bomFormat"] == "CycloneDX"
    assert orch("sbom", "nothing").code == 2


class TestListsUnderTags:
    @pytest.fixture
    def place(self) -> Repository:
        return Repository("registry.example.com", "team/api")

    @pytest.fixture
    def registry(self) -> FakeRegistry:
        return FakeRegistry(lists_referrers=False)

    def subject(self, registry: FakeRegistry, place: Repository) -> Manifest:
        blob = blob_of(CONTENT)
        registry.blobs[place, blob.digest] = CONTENT
        manifest = manifest_of(blob, blob)
        registry.write_manifest(place, "v1", manifest)
        return manifest

    def add(self, registry: Registry, place: Repository, subject: Manifest, note: bytes) -> str:
        blob = Blob(subject.media_type, subject.data)
        artifact = make_artifact(DocumentKind.SBOM, note, blob)
        attach(registry, place, subject.digest, [artifact], by_tag=True)
        return artifact.manifest.digest

    def digests(self, registry: Registry, place: Repository, subject: Manifest) -> set[str]:
        found = find_referrers(registry, place, subject.digest)
        assert found.by_tag
        return {row.digest for row in found.known}

    def test_what_another_wrote_over_it_is_completed(
        self, registry: FakeRegistry, place: Repository
    ) -> None:
        subject = self.subject(registry, place)
        theirs = Manifest(INDEX, canonical_json({"manifests": [], "other": 1}))
        tag, writes = referrers_tag(subject.digest), []

        def after_the_first_write() -> None:
            writes.append(1)
            if len(writes) == 2:  # the read that follows our write finds another's list
                registry.manifests[place, theirs.digest] = theirs
                registry.named[place, tag] = theirs.digest

        registry.on = {f"read {place.name} {tag}": after_the_first_write}
        ours = self.add(registry, place, subject, b"1")
        assert self.digests(registry, place, subject) == {ours}

    def test_one_that_never_keeps_it_is_an_error(
        self, registry: FakeRegistry, place: Repository
    ) -> None:
        subject = self.subject(registry, place)
        tag = referrers_tag(subject.digest)

        def forget() -> None:
            registry.named.pop((place, tag), None)

        registry.on = {f"read {place.name} {tag}": forget}
        with pytest.raises(VerificationError, match="does not keep what is added"):
            self.add(registry, place, subject, b"1")

    def test_what_others_listed_stays(self, registry: FakeRegistry, place: Repository) -> None:
        subject = self.subject(registry, place)
        row = {"digest": f"sha256:{'a' * 64}", "size": 3, "platform": {"os": "other"}}
        theirs = Manifest(INDEX, canonical_json({"manifests": [row], "annotations": {"x": "y"}}))
        registry.manifests[place, theirs.digest] = theirs
        registry.manifests[place, str(row["digest"])] = theirs
        registry.named[place, referrers_tag(subject.digest)] = theirs.digest
        ours = self.add(registry, place, subject, b"1")
        document = json.loads(registry.read_manifest(place, referrers_tag(subject.digest)).data)
        assert document["manifests"][0] == row
        assert document["manifests"][1]["digest"] == ours
        assert document["annotations"] == {"x": "y"}

    def test_a_tag_that_names_something_else_is_left_alone(
        self, registry: FakeRegistry, place: Repository
    ) -> None:
        subject = self.subject(registry, place)
        registry.write_manifest(place, referrers_tag(subject.digest), subject)
        with pytest.raises(TagTakenError, match="names no list"):
            self.add(registry, place, subject, b"1")
        assert registry.find_manifest(place, referrers_tag(subject.digest)) == subject.digest


@pytest.mark.parametrize(
    "fault",
    [answering(404), answering(405), answering(200), answering(200, Content_Type=INDEX)],
    ids=["unknown", "not allowed", "a page", "nothing"],
)
def test_a_registry_that_answers_with_no_list_keeps_none(tiny: TinyRegistry, fault: Fault) -> None:
    tiny.faults = [fault]
    assert ask(tiny) is None


def test_a_registry_that_refuses_to_list_is_believed(tiny: TinyRegistry) -> None:
    tiny.faults = [answering(403)]
    with pytest.raises(RefusedError):
        ask(tiny)


def ask(tiny: TinyRegistry) -> object:
    wire = Wire(retry_s=0.0, find=lambda _: None)
    try:
        place = Repository(tiny.address, "team/a")
        return HttpRegistry(wire).find_referrers(place, f"sha256:{'a' * 64}")
    finally:
        wire.close()
