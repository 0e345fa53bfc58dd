"""What is told of images: complete, the same for the same image, and nothing that is secret."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from orchestrator.app.opened import Opened, open_workspace
from orchestrator.app.planning import BuildOptions, plan
from orchestrator.app.told import Told, sbom_of
from orchestrator.attest.artifacts import DocumentKind, make_artifact
from orchestrator.attest.bill import (
    Bill,
    Distribution,
    ExternalBase,
    Package,
    PackageKind,
    Tier,
    with_found,
)
from orchestrator.attest.found import Found, LayerReader
from orchestrator.attest.provenance import Origin, Source, make_provenance
from orchestrator.attest.sbom import make_sbom
from orchestrator.errors import WorkspaceError
from orchestrator.model import FileFetch
from orchestrator.oci.image import Blob, make_image
from orchestrator.oci.layer import Layer
from orchestrator.oci.layout import Layout
from tests.dockerfiles import workspace_of
from tests.helpers import AMD64, ARM64, deb_of, wheel_of
from tests.tiny import Tiny, digests

DIGEST = f"sha256:{'d' * 64}"
DEBIAN = Distribution("debian", "bookworm")
CURL = Package.of_deb(deb_of("curl", "1:7.88"), DEBIAN)
ALPHA = Package.of_wheel(wheel_of("Alpha_X"))
BASE = ExternalBase("registry.example.com/os:1", f"sha256:{'b' * 64}")
BILL = Bill("api", AMD64, DIGEST, (Tier("base", (CURL,)), Tier("api", (ALPHA,))))
ORIGIN = Origin("team/api", "recipe", "services/api/image.toml", "f" * 64, Source("c" * 40))


def document_of(bill: Bill) -> dict[str, Any]:
    """Return a bill's document, which must be one by CycloneDX's schema."""
    text = make_sbom(bill).decode()
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert problem is None, problem
    document: dict[str, Any] = json.loads(text)
    return document


def purls(document: Mapping[str, Any]) -> set[str]:
    return {item["purl"] for item in document["components"] if item["type"] == "library"}


def write_layer(file: Path, members: Mapping[str, str]) -> Path:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, text in members.items():
            info = tarfile.TarInfo(path)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    file.write_bytes(gzip.compress(out.getvalue()))
    return file


def find(tmp_path: Path, *layers: Mapping[str, str]) -> Found:
    return LayerReader().find(
        [write_layer(tmp_path / f"{number}", members) for number, members in enumerate(layers)]
    )


def told(found: Found) -> set[str]:
    return {str(package.purl) for package in found.packages}


METADATA = "Metadata-Version: 2.1\nName: {}\nVersion: {}\n"
STATUS = "Package: {}\nStatus: {}\nArchitecture: amd64\nVersion: {}\n\n"
SITE = "opt/venv/lib/python3.11/site-packages"


class TestSbom:
    def test_it_is_valid_with_everything_that_a_bill_may_hold(self) -> None:
        fetch = FileFetch("https://files.example.com/m.bin", "a" * 64, "/models/m.bin")
        tiers = (Tier("base", (CURL,)), Tier("api", (ALPHA,), (fetch,)))
        open_base = ExternalBase("other:1")
        bill = Bill("api", AMD64, DIGEST, tiers, (BASE, open_base), "a reason")
        document = document_of(bill)
        types = [item["type"] for item in document["components"]]
        assert sorted(types) == [
            "container",
            "container",
            "container",
            "file",
            "library",
            "library",
        ]
        assert document["compositions"] == [
            {"aggregate": "incomplete", "assemblies": ["image:api"]}
        ]
        assert {"name": "orch:unread", "value": "a reason"} in document["metadata"]["component"][
            "properties"
        ]
        assert "files.example.com" not in json.dumps(document)

    def test_equal_bills_give_equal_bytes_that_tell_no_time(self) -> None:
        assert make_sbom(BILL) == make_sbom(dataclasses.replace(BILL))
        assert "timestamp" not in document_of(BILL)["metadata"]

    def test_the_serial_number_is_that_of_the_image(self) -> None:
        other = dataclasses.replace(BILL, digest=f"sha256:{'e' * 64}")
        assert document_of(BILL)["serialNumber"] != document_of(other)["serialNumber"]

    def test_packages_have_urls_hashes_and_the_image_that_brings_them(self) -> None:
        document = document_of(BILL)
        curl = "pkg:deb/debian/curl@1:7.88?arch=amd64&distro=bookworm"
        assert purls(document) == {curl, "pkg:pypi/alpha-x@1.0"}
        rows = {item.get("purl"): item for item in document["components"]}
        assert rows[curl]["hashes"] == [{"alg": "SHA-256", "content": CURL.sha256}]
        edges = {row["ref"]: row.get("dependsOn") for row in document["dependencies"]}
        assert edges["image:base"] == [curl]
        assert edges["image:api"] == ["image:base", "pkg:pypi/alpha-x@1.0"]
        assert document["compositions"][0]["aggregate"] == "complete"


class TestLayers:
    def test_packages_of_dpkg_and_of_python_are_found(self, tmp_path: Path) -> None:
        found = find(
            tmp_path,
            {
                "etc/os-release": 'ID=ubuntu\nVERSION_CODENAME="noble"\n',
                "./var/lib/dpkg/status": STATUS.format("curl", "install ok installed", "8.5"),
                "var/lib/dpkg/status.d/tzdata": "Package: tzdata\nVersion: 2026a\n",
                "var/lib/dpkg/status.d/tzdata.md5sums": "Package: no\nVersion: 1\n",
            },
            {
                f"{SITE}/a_b-1.0.dist-info/METADATA": METADATA.format("A_b", "1.0"),
                f"{SITE}/x/_vendor/c-1.dist-info/METADATA": METADATA.format("c", "1"),
            },
        )
        assert told(found) == {
            "pkg:deb/ubuntu/curl@8.5?arch=amd64&distro=noble",
            "pkg:deb/ubuntu/tzdata@2026a?distro=noble",
            "pkg:pypi/a-b@1.0",
        }
        assert found.unread == 0

    def test_what_is_removed_or_was_taken_away_is_not_there(self, tmp_path: Path) -> None:
        gone = STATUS.format("gone", "deinstall ok config-files", "1")
        found = find(
            tmp_path,
            {"var/lib/dpkg/status": STATUS.format("old", "install ok installed", "1")},
            {"var/lib/dpkg/status": gone + STATUS.format("new", "install ok installed", "2")},
            {f"{SITE}/{name}-1.dist-info/METADATA": METADATA.format(name, "1") for name in "ab"},
            {f"{SITE}/.wh.a-1.dist-info": ""},
        )
        assert told(found) == {"pkg:deb/debian/new@2?arch=amd64", "pkg:pypi/b@1"}
        emptied = find(
            tmp_path,
            {f"{SITE}/a-1.dist-info/METADATA": METADATA.format("a", "1")},
            {
                f"{SITE}/.wh..wh..opq": "",
                f"{SITE}/b-1.dist-info/METADATA": METADATA.format("b", "1"),
            },
        )
        assert told(emptied) == {"pkg:pypi/b@1"}

    def test_layers_that_cannot_be_read_are_counted(self, tmp_path: Path) -> None:
        (tmp_path / "damaged").write_bytes(b"\x28\xb5\x2f\xfd zstandard, say")
        good = write_layer(
            tmp_path / "good", {f"{SITE}/a-1.dist-info/METADATA": METADATA.format("a", "1")}
        )
        found = LayerReader().find([tmp_path / "damaged", good, tmp_path / "missing"])
        assert told(found) == {"pkg:pypi/a@1"}
        assert found.unread == 2

    def test_what_is_found_takes_its_hash_from_the_lock_and_its_place_from_the_chain(self) -> None:
        found = [
            Package(PackageKind.PYTHON, "alpha-x", "1.0.0"),
            Package(PackageKind.DEBIAN, "curl", "1:7.88"),
            Package(PackageKind.PYTHON, "own", "3"),
        ]
        hashes = {item.identity: item for item in (CURL, ALPHA)}
        tiers = (Tier("base", (CURL, Package.of_wheel(wheel_of("lost")))), Tier("api"))
        base, api = with_found(tiers, "api", found, hashes, is_whole=False)
        assert [package.name for package in base.packages] == ["curl", "lost"]
        base, api = with_found(tiers, "api", found, hashes, is_whole=True)
        assert [package.name for package in base.packages] == ["curl"]
        hashes_of = {package.name: package.sha256 for package in api.packages}
        assert hashes_of == {"alpha-x": ALPHA.sha256, "own": ""}


class TestProvenance:
    def statement(self, bill: Bill = BILL, **more: Any) -> dict[str, Any]:
        statement: dict[str, Any] = json.loads(
            make_provenance(bill, dataclasses.replace(ORIGIN, **more))
        )
        return statement

    def test_its_subject_is_the_image(self) -> None:
        statement = self.statement()
        assert statement["_type"] == "https://in-toto.io/Statement/v1"
        assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
        assert statement["subject"] == [{"name": "team/api", "digest": {"sha256": "d" * 64}}]

    def test_everything_that_went_in_has_a_digest(self) -> None:
        bill = dataclasses.replace(BILL, bases=(BASE,))
        statement = self.statement(bill, parents={"base": f"sha256:{'a' * 64}"})
        rows = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        assert all(row["digest"] for row in rows)
        assert {row["digest"].get("sha256") for row in rows[1:]} == {
            "a" * 64,
            "b" * 64,
            CURL.sha256,
            ALPHA.sha256,
        }
        assert {row["uri"] for row in rows if "uri" in row} == {str(CURL.purl), str(ALPHA.purl)}

    def test_the_commit_is_named_with_whether_files_differed(self) -> None:
        def commit(source: Source) -> dict[str, Any]:
            statement = self.statement(source=source)
            row: dict[str, Any] = statement["predicate"]["buildDefinition"]["resolvedDependencies"][
                0
            ]
            return row

        assert commit(Source("c" * 40)) == {
            "name": "workspace",
            "digest": {"gitCommit": "c" * 40},
        }
        dirty = commit(Source("c" * 40, is_dirty=True, uri="https://git.example.com/voice"))
        assert dirty["annotations"] == {"dirty": True}
        assert dirty["uri"] == "git+https://git.example.com/voice"

    def test_the_builder_is_that_of_the_settings(self) -> None:
        def builder(statement: dict[str, Any]) -> str:
            return str(statement["predicate"]["runDetails"]["builder"]["id"])

        assert builder(self.statement()) == "urn:orch:builder"
        assert builder(self.statement(builder="https://ci.example.com")) == "https://ci.example.com"


def test_an_artifact_names_its_subject_and_is_the_same_for_the_same_document() -> None:
    subject = Blob("application/vnd.oci.image.manifest.v1+json", b"{}")
    artifact = make_artifact(DocumentKind.PROVENANCE, b"1", subject)
    assert artifact.manifest == make_artifact(DocumentKind.PROVENANCE, b"1", subject).manifest
    manifest = json.loads(artifact.manifest.data)
    assert manifest["subject"] == subject.descriptor
    assert manifest["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    assert manifest["artifactType"] == manifest["layers"][0]["mediaType"]
    noted = manifest["layers"][0]["annotations"]["in-toto.io/predicate-type"]
    assert noted == "https://slsa.dev/provenance/v1"


@dataclasses.dataclass(frozen=True)
class Made:
    """A built workspace in git, whose `source` has a password in it, and its images' digests."""

    tiny: Tiny
    digests: Mapping[str, str]

    @property
    def told(self) -> Told:
        return Told(open_workspace(self.tiny.root))

    def locked(self, *names: str) -> set[str]:
        adds = [self.tiny.adds[name] for name in names]
        return {
            *(str(Package.of_deb(deb, DEBIAN).purl) for item in adds for deb in item.debs),
            *(str(Package.of_wheel(wheel).purl) for item in adds for wheel in item.wheels),
        }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("told")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORCH_CACHE", str(folder / "cache"))
        tiny = Tiny.make(folder / "ws", folder / "src", folder / "cache")
        settings = tiny.root / "orch.toml"
        source = 'source = "https://ann:planted@git.example.com/voice"\n'
        settings.write_text(source + settings.read_text())
        git = ["git", "-C", str(tiny.root), "-c", "user.name=a", "-c", "user.email=a@example.com"]
        for command in (["init", "-q"], ["add", "orch.toml"], ["commit", "-qm", "begin"]):
            subprocess.run([*git, *command], check=True)
        yield Made(tiny, digests(tiny.build()))


def test_an_image_consists_of_what_the_lock_says_of_its_chain(made: Made) -> None:
    for name, chain in {
        "python-base": ("python-base",),
        "api": ("python-base", "python-web", "api"),
        "worker": ("python-base", "worker"),
    }.items():
        document = json.loads(sbom_of(open_workspace(made.tiny.root), name, None))
        assert purls(document) == made.locked(*chain)
        assert document["metadata"]["component"]["version"] == made.digests[name]
        assert document["compositions"][0]["aggregate"] == "complete"


def test_the_layers_of_an_image_hold_what_the_lock_says(made: Made) -> None:
    layout = made.tiny.layout
    layers, _ = layout.read_image(made.digests["api"])
    found = LayerReader().find(layout.blob_path(layer.digest) for layer in layers)
    identities = {package.identity for package in found.packages}
    adds = [made.tiny.adds[name] for name in ("python-base", "python-web", "api")]
    assert identities == {
        *(Package.of_deb(deb, DEBIAN).identity for item in adds for deb in item.debs),
        *(Package.of_wheel(wheel).identity for item in adds for wheel in item.wheels),
    }
    assert found.unread == 0


def test_an_image_that_is_not_up_to_date_or_not_there_has_no_sbom(
    made: Made, tmp_path: Path
) -> None:
    opened = open_workspace(made.tiny.root)
    with pytest.raises(WorkspaceError, match="nothing"):
        sbom_of(opened, "nothing", None)
    with pytest.raises(WorkspaceError, match="was not built for linux/arm64"):
        sbom_of(opened, "api", ARM64)


def test_provenance_tells_no_host_no_path_and_no_secret(made: Made) -> None:
    opened = open_workspace(made.tiny.root)
    step = plan(opened, BuildOptions(AMD64)).plan.steps["api"]
    text = made.told.provenance(step, "team/api", made.digests["api"]).decode()
    statement = json.loads(text)
    rows = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert rows[0]["uri"] == "git+https://git.example.com/voice"
    assert rows[0]["annotations"] == {"dirty": True}
    assert len(rows[0]["digest"]["gitCommit"]) == 40
    parent = {"name": "python-web", "digest": {"sha256": made.digests["python-web"][7:]}}
    assert parent in rows
    for planted in ("planted", str(made.tiny.root), "file://", "@"):
        assert planted not in text.replace("@1.0", "").replace("@2.36-9", "")


class TestDockerfiles:
    """tools: alpine; api: tools, with a secret among its build arguments."""

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Opened:
        pinned = f"debian:12@{BASE.digest}"
        return workspace_of(
            tmp_path,
            {
                "base/tools/Dockerfile": f"FROM {pinned}\n",
                "services/api/Dockerfile": "ARG TOKEN\nFROM tools\n",
            },
            '[buildkit.build-args]\nTOKEN = "planted"\n',
        )

    def image(self, opened: Opened, *layers: bytes) -> str:
        """Put an image of these layers into the layout."""
        layout = Layout(opened.paths.layout)
        blobs = [Blob("application/vnd.oci.image.layer.v1.tar+gzip", data) for data in layers]
        for blob in blobs:
            layout.add_blob(blob)
        rows = [
            Layer(blob.digest, blob.digest, len(blob.data), len(blob.data), "x") for blob in blobs
        ]
        image = make_image(AMD64, {}, rows, {})
        layout.add_blob(image.config)
        layout.add_blob(image.manifest)
        return image.digest

    @pytest.fixture
    def layer(self, tmp_path: Path) -> bytes:
        status = STATUS.format("curl", "install ok installed", "8.5")
        return write_layer(tmp_path / "layer", {"var/lib/dpkg/status": status}).read_bytes()

    def test_packages_are_read_from_the_layers_and_more_may_be_there(
        self, opened: Opened, layer: bytes
    ) -> None:
        digest = self.image(opened, layer)
        document = json.loads(Told(opened).sbom("api", AMD64, digest))
        assert purls(document) == {"pkg:deb/debian/curl@8.5?arch=amd64"}
        assert document["compositions"][0]["aggregate"] == "incomplete"
        names = {item["name"]: item.get("version") for item in document["components"]}
        assert names["debian:12"] == BASE.digest
        assert "tools" in names

    def test_it_says_how_many_layers_were_not_to_be_had(self, opened: Opened, layer: bytes) -> None:
        digest = self.image(opened, layer, b"elsewhere")
        Layout(opened.paths.layout).blob_path(Blob("", b"elsewhere").digest).unlink()
        document = json.loads(Told(opened).sbom("api", AMD64, digest))
        (said,) = (
            item["value"]
            for item in document["metadata"]["component"]["properties"]
            if item["name"] == "orch:unread"
        )
        assert said.endswith("; layers not to be had: 1")

    def test_of_build_arguments_provenance_has_digests(self, opened: Opened, layer: bytes) -> None:
        step = plan(opened, BuildOptions(AMD64)).plan.steps["api"]
        text = Told(opened).provenance(step, "team/api", self.image(opened, layer)).decode()
        parameters = json.loads(text)["predicate"]["buildDefinition"]["externalParameters"]
        assert parameters["definition"] == "dockerfile"
        assert parameters["file"] == "services/api/Dockerfile"
        assert set(parameters["arguments"]) == {"TOKEN"}
        assert "planted" not in text
        rows = json.loads(text)["predicate"]["buildDefinition"]["resolvedDependencies"]
        assert {"name": "debian:12", "digest": {"sha256": "b" * 64}} in rows
