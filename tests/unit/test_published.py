"""A machine without records, and what a registry has: two machines over one registry."""

from __future__ import annotations

import json
import lzma
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.app.inventories import MEDIA_TYPE
from orchestrator.app.opened import open_workspace
from orchestrator.app.remote import RemoteLayers
from orchestrator.oci.image import CONFIG_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, Blob
from orchestrator.oci.layer import LAYER_MEDIA_TYPE
from orchestrator.publish.documents import write_document
from orchestrator.publish.http_registry import HttpRegistry
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import VerificationError
from orchestrator.publish.wire import Wire
from tests.helpers import ROOT, write_lock, write_tree, write_workspace
from tests.machines import Machine, first_machine
from tests.registries import TinyRegistry, interrupt_at, interrupt_this_process
from tests.tiny import Tiny, digests

NAMES = {"python-base", "python-web", "api", "worker"}
CONFIG_AND_LAYER = {CONFIG_MEDIA_TYPE: 1, LAYER_MEDIA_TYPE: 1}
WHEELS = {"python-base": ("alpha", "native"), "api": ("client",)}


@pytest.fixture
def first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Machine]:
    with first_machine(tmp_path, monkeypatch, capsys) as machine:
        yield machine


def transfers(registry: TinyRegistry, method: str) -> list[str]:
    """Return the requests of a method that concern blobs."""
    return [line for line in registry.asked if line.startswith(method) and "/blobs/" in line]


def configs(registry: TinyRegistry) -> set[str]:
    documents = [json.loads(data) for _, data in registry.manifests.values()]
    return {item["config"]["digest"] for item in documents if "config" in item}


def layers_read(registry: TinyRegistry) -> list[str]:
    known = configs(registry)
    reads = transfers(registry, "GET")
    return [line for line in reads if line.rpartition("/")[2] not in known]


def sent(registry: TinyRegistry, before: Mapping[tuple[str, str], bytes]) -> dict[str, int]:
    """Count the blobs that came, by media type: those of images, and of what packages hold."""
    documents = [(place, json.loads(data)) for (place, _), (_, data) in registry.manifests.items()]
    named = {
        (place, row["digest"]): row["mediaType"]
        for place, document in documents
        for row in (document["config"], *document["layers"])
    }
    kinds = Counter(kind for key, kind in named.items() if key not in before)
    return {kind: n for kind, n in kinds.items() if kind in {*CONFIG_AND_LAYER, MEDIA_TYPE}}


def layers_of_images_read(registry: TinyRegistry) -> list[str]:
    """Return the requests for layers but for those of what lies beside images."""
    documents = [json.loads(data) for _, data in registry.manifests.values()]
    beside = {
        layer["digest"]
        for document in documents
        if "artifactType" in document
        for layer in document["layers"]
    }
    return [line for line in layers_read(registry) if line.rpartition("/")[2] not in beside]


def test_the_report_of_a_build_has_the_push_too_though_it_was_interrupted(first: Machine) -> None:
    first.publish()
    document = json.loads((first.tiny.root / "report.json").read_text())
    assert {image["status"] for image in document["push"]["images"]} == {"pushed"}
    (first.tiny.root / "services/api/app/main.py").write_text("print('new')\n")
    first.registry.faults = [interrupt_at("PUT", "/manifests/")] * 1000
    report = first.tiny.root / "report.json"
    ran = first.orch("build", "--changed", "--push", "--report", str(report))
    assert ran.code == 130
    document = json.loads(report.read_text())
    (pushed,) = (i for i in document["push"]["images"] if i["status"] == "cancelled")
    assert pushed["name"] == "api"
    assert pushed["blobs"]["uploaded"]["count"] == 2


def test_a_machine_without_records_builds_nothing_that_is_published(first: Machine) -> None:
    assert first.built() == NAMES
    second = first.elsewhere("second")
    second.without_packages()
    assert second.built() == set()
    assert layers_read(second.registry) == []
    assert transfers(second.registry, "POST") == []


def test_what_is_published_is_retagged_without_being_read(first: Machine) -> None:
    first.publish()
    second = first.elsewhere("second")
    second.without_packages()
    settings = second.tiny.root / "orch.toml"
    settings.write_text('tags = ["next"]\n' + settings.read_text())
    assert second.built() == set()
    assert {name: second.tag(name, "next") for name in NAMES} == {
        name: second.tag(name, "latest") for name in NAMES
    }
    assert layers_read(second.registry) == []


def test_a_changed_file_costs_its_layer_and_no_package_is_needed(first: Machine) -> None:
    first.publish()
    second = first.elsewhere("second")
    second.without_packages()
    (second.tiny.root / "services/api/app/main.py").write_text("print('new')\n")
    before = dict(second.registry.blobs)
    assert second.built() == {"api"}
    assert sent(second.registry, before) == CONFIG_AND_LAYER
    assert layers_read(second.registry) == []


def test_another_machine_makes_the_same_image_of_a_change(first: Machine) -> None:
    first.publish()
    second = first.elsewhere("second")
    for machine in (second, first):
        (machine.tiny.root / "services/api/app/main.py").write_text("print('new')\n")
    second.publish()
    made = second.tag("api", "latest")
    assert first.tiny.build().outcomes["api"].digest == made


@pytest.mark.parametrize(
    ("image", "clashing"), [("api", "alpha/__init__.py"), ("python-base", "client.py")]
)
def test_packages_that_changed_are_checked_also_where_the_own_ones_did_not(
    first: Machine, image: str, clashing: str
) -> None:
    first.publish()
    second = first.elsewhere("second")
    second.tiny.add_wheel(image, second.tiny.wheel("more", {clashing: b"other"}))
    second.without_packages("more", *WHEELS[image])
    ran = second.orch("build", "--changed", "--push")
    assert ran.code == 1
    assert "it is not the same file" in ran.err


def test_what_packages_hold_is_sent_once_though_images_share_them(first: Machine) -> None:
    shared = first.tiny.wheel("shared", {"shared.py": b"X = 1\n"})
    for name in ("worker", "python-web"):
        first.tiny.adds[name] = replace(first.tiny.adds[name], wheels=())
        first.tiny.add_wheel(name, shared)
    first.publish()
    documents = [json.loads(data) for _, data in first.registry.manifests.values()]
    told = [d["layers"][0]["digest"] for d in documents if d.get("artifactType") == MEDIA_TYPE]
    (twice,) = {digest for digest in told if told.count(digest) == 2}
    asked = transfers(first.registry, "PUT")
    assert sum(twice in line for line in asked) == 1


def test_a_requirement_that_came_needs_the_packages_of_its_layer_alone(first: Machine) -> None:
    first.publish()
    second = first.elsewhere("second")
    second.tiny.add_wheel("api", second.tiny.wheel("more", {"more.py": b"import client\n"}))
    second.without_packages("more", *WHEELS["api"])
    before = dict(second.registry.blobs)
    assert second.built() == {"api"}
    assert layers_of_images_read(second.registry) == []
    assert sent(second.registry, before) == {**CONFIG_AND_LAYER, MEDIA_TYPE: 1}


def test_a_package_that_came_below_needs_the_packages_of_its_layer_alone(first: Machine) -> None:
    first.publish()
    second = first.elsewhere("second")
    below = second.tiny.adds["python-base"]
    debs = (*below.debs, second.tiny.deb("libmore", {"usr/share/more": b"more"}))
    second.tiny.adds["python-base"] = replace(below, debs=debs)
    second.tiny.lock()
    second.without_packages(*(deb.name for deb in debs))
    assert second.built() == NAMES
    assert layers_of_images_read(second.registry) == []


def test_another_machine_makes_the_same_image_of_other_packages(first: Machine) -> None:
    first.publish()
    second = first.elsewhere("second")
    more = second.tiny.wheel("more", {"more.py": b"import client\n"})
    for machine in (second, first):
        machine.tiny.add_wheel("python-base", more)
    second.publish()
    made = {name: second.tag(name, "latest") for name in NAMES}
    assert digests(first.tiny.build()) == made


def test_a_library_that_went_is_missed_by_packages_that_are_not_here(first: Machine) -> None:
    first.publish()
    second = first.elsewhere("second")
    below = second.tiny.adds["python-base"]
    second.tiny.adds["python-base"] = replace(below, debs=below.debs[:1])
    second.tiny.lock()
    second.without_packages(below.debs[0].name)
    ran = second.orch("build", "--changed", "--push")
    assert ran.code == 1
    assert "native.so needs libc.so.6" in ran.err


def test_what_a_registry_says_of_packages_is_not_kept(first: Machine) -> None:
    first.publish()
    second = first.elsewhere("second")
    second.tiny.add_wheel("api", second.tiny.wheel("more", {"more.py": b""}))
    second.publish()
    kept = [path.read_text() for path in second.tiny.cache.glob("segments/*/*.json")]
    assert any("more.py" in text for text in kept)
    assert not any("alpha/__init__.py" in text for text in kept)
    assert not (second.tiny.cache / "checked").exists()


@pytest.mark.parametrize("content", [b"no inventory", lzma.compress(b"")])
def test_packages_are_fetched_where_it_is_not_said_what_they_hold(
    first: Machine, content: bytes
) -> None:
    first.publish()
    for tag in [key for key in first.registry.tags if key[1].startswith("pk-")]:
        repository = Repository(first.registry.address, tag[0])
        wire = Wire(actions="pull,push")
        write_document(HttpRegistry(wire), repository, tag[1], MEDIA_TYPE, content)
        wire.close()
    second = first.elsewhere("second")
    second.tiny.add_wheel("api", second.tiny.wheel("more", {"more.py": b""}))
    assert second.built() == {"api"}


def test_a_registry_for_images_alone_is_pushed_to_and_it_is_said(first: Machine) -> None:
    first.registry.artifacts = False
    ran = first.orch("build", "--push")
    assert ran.code == 0
    assert ran.err.count("other machines will fetch packages to check them: ") == 1


def test_a_content_tag_that_names_another_image_is_not_believed(first: Machine) -> None:
    first.publish()
    old = first.tag("api", "latest")
    (first.tiny.root / "services/api/app/main.py").write_text("print('new')\n")
    second = first.elsewhere("second")
    names = {tag for place, tag in first.registry.tags if place == "team/api"}
    first.publish()
    (tag,) = {tag for place, tag in first.registry.tags if place == "team/api"} - names
    right = first.tag("api", tag)
    first.registry.tags["team/api", tag] = old
    ran = second.orch("build", "--changed", "--push")
    assert ran.code == 0
    assert "what its content tag names in the registry is something else" in ran.err
    assert first.tag("api", tag) == right


@pytest.mark.parametrize(
    "config",
    [
        b"[]",
        b"[" * 5000,
        b'{"os": "linux", "architecture": "amd64"}',
        b'{"rootfs": {"diff_ids": 5}}',
    ],
    ids=["a list", "nested", "no layers", "a number of layers"],
)
def test_a_content_tag_that_names_no_image_is_not_believed(first: Machine, config: bytes) -> None:
    first.publish()
    second, registry = first.elsewhere("second"), first.registry
    (tag,) = {tag for place, tag in registry.tags if place == "team/api" and tag[:3] == "fp-"}
    right = first.tag("api", tag)
    document = json.loads(registry.manifests["team/api", right][1])
    document["config"] = Blob(CONFIG_MEDIA_TYPE, config).descriptor
    odd = Blob(MANIFEST_MEDIA_TYPE, json.dumps(document).encode())
    registry.blobs["team/api", document["config"]["digest"]] = config
    registry.manifests["team/api", odd.digest] = (odd.media_type, odd.data)
    registry.tags["team/api", tag] = odd.digest
    ran = second.orch("build", "--changed", "--push")
    assert ran.code == 0
    assert "what its content tag names in the registry is something else" in ran.err
    assert first.tag("api", tag) == right


def test_what_the_registry_lost_is_built_again(first: Machine) -> None:
    first.publish()
    second = first.elsewhere("second")
    second.publish()
    tags = second.registry.tags
    for key in [key for key in tags if key[0] == "team/worker"]:
        del tags[key]
    assert second.built() == {"worker"}


def test_what_is_known_to_be_published_is_up_to_date(first: Machine) -> None:
    first.publish()
    second = first.elsewhere("second")
    second.publish()
    ran = second.orch("plan", "--format", "json")
    assert {image["action"] for image in ran.data["images"]} == {"reuse"}


def test_a_plan_of_what_changed_says_what_a_build_would_do_and_writes_nothing(
    first: Machine,
) -> None:
    first.publish()
    second = first.elsewhere("second")
    (second.tiny.root / "services/api/app/main.py").write_text("print('new')\n")
    first.registry.asked.clear()
    for verb in (("plan", "--changed"), ("build", "--changed", "--push", "--dry-run")):
        ran = second.orch(*verb)
        assert ran.code == 0, ran.err
        assert "api  build: never-built" in ran.out
        assert ran.out.endswith("1 build, 2 reuse\n")
    assert not (second.tiny.root / ".orch").exists()
    assert not any(line.startswith(("PUT", "POST")) for line in second.registry.asked)
    assert second.built() == {"api"}


def test_a_plan_of_everything_asks_no_registry(first: Machine) -> None:
    first.publish()
    first.registry.asked.clear()
    ran = first.elsewhere("second").orch("plan", "--format", "json")
    assert {image["action"] for image in ran.data["images"]} == {"build"}
    assert first.registry.asked == []


def test_a_plan_notices_what_the_registry_lost(first: Machine) -> None:
    first.publish()
    second = first.elsewhere("second")
    second.publish()
    tags = second.registry.tags
    for key in [key for key in tags if key[0] == "team/worker"]:
        del tags[key]
    ran = second.orch("plan", "--changed", "--format", "json")
    actions = {image["name"]: image["action"] for image in ran.data["images"]}
    assert actions == {"python-base": "reuse", "worker": "build"}
    assert second.orch("plan", "worker").out.count("image-missing") == 0, "it is not written down"


def test_what_changed_is_known_from_the_registry_also_where_nothing_is_pushed(
    first: Machine,
) -> None:
    first.publish()
    second = first.elsewhere("second")
    ran = second.orch("build", "--changed")
    assert "4 published already" in ran.err
    assert "nothing to build" in ran.err


def test_a_build_that_is_interrupted_while_it_asks_says_what_was_cancelled(first: Machine) -> None:
    first.registry.faults = [interrupt_this_process]
    report = first.tiny.root / "report.json"
    ran = first.orch("build", "--changed", "--push", "--report", str(report))
    assert ran.code == 130
    assert "interrupted" in ran.err
    document = json.loads(report.read_text())
    assert {image["name"]: image["status"] for image in document["images"]} == dict.fromkeys(
        NAMES, "cancelled"
    )
    assert document["ok"] is False


def test_without_the_registry_the_records_say_what_changed(first: Machine) -> None:
    settings = first.tiny.root / "orch.toml"
    settings.write_text(settings.read_text().replace(first.registry.address, "127.0.0.1:9"))
    for verb in (("plan", "--changed"), ("build", "--changed")):
        ran = first.orch(*verb)
        assert ran.code == 0, ran.err
        assert "only the records say what changed" in ran.err
        assert "127.0.0.1:9" in ran.err
    assert "registry" not in first.orch("build", "--changed", "--offline").err


def test_without_the_registry_what_is_to_be_pushed_is_an_error(
    first: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Wire, "rest", lambda *_: None)
    settings = first.tiny.root / "orch.toml"
    settings.write_text(settings.read_text().replace(first.registry.address, "127.0.0.1:9"))
    ran = first.orch("build", "--push", "--dry-run")
    assert ran.code == 1
    assert "127.0.0.1:9" in ran.err
    assert "hint: " in ran.err


def test_forced_images_are_built_though_they_are_published(first: Machine) -> None:
    first.publish()
    second = first.elsewhere("second")
    ran = second.orch("build", "--push", "--force", "worker")
    assert ran.code == 0
    assert "1 published already: python-base\n" in ran.err
    assert "1 built, 1 reused" in ran.err


def test_layers_are_brought_when_their_bytes_are_needed(first: Machine) -> None:
    first.publish()
    second = first.elsewhere("second")
    second.publish()
    remote, digest = RemoteLayers(open_workspace(second.tiny.root)), second.tag("api", "latest")
    assert not second.tiny.layout.has_image(digest)
    remote.complete(digest)
    assert second.tiny.layout.has_image(digest)


def test_a_layer_with_other_bytes_is_not_taken(first: Machine) -> None:
    first.publish()
    second = first.elsewhere("second")
    second.publish()
    remote, digest = RemoteLayers(open_workspace(second.tiny.root)), second.tag("api", "latest")
    lacking = remote.elsewhere.lacking(digest)
    for key in [key for key in second.registry.blobs if key[1] in lacking]:
        second.registry.blobs[key] = b"other bytes"
    with pytest.raises(VerificationError):
        remote.complete(digest)
    assert not second.tiny.layout.has_image(digest)


def test_what_is_known_to_be_published_can_be_pushed_to_another_place(first: Machine) -> None:
    first.publish()
    second = first.elsewhere("second")
    second.publish()
    second.registry.mounts = False
    ran = second.orch("push", "--registry", f"{second.registry.address}/other")
    assert ran.code == 0, ran.err
    assert second.registry.tags["other/api", "latest"] == second.tag("api", "latest")


def with_two_platforms(first: Machine) -> Machine:
    """Publish an image that is files alone for two platforms, from a machine of its own."""
    root = write_workspace(
        first.tiny.root.with_name("plain"),
        {"base/a": f'from = "{ROOT}"\n[[files]]\nfrom = "x"\nto = "/x"\n'},
    )
    write_tree(root, {"base/a/x": "x"})
    settings = root / "orch.toml"
    places = (
        f'platforms = ["linux/amd64", "linux/arm64"]\nregistry = "{first.registry.address}/p"\n'
    )
    settings.write_text(places + settings.read_text())
    write_lock(root)
    plain = Machine(Tiny(root, first.tiny.cache, first.tiny.sources), first.registry, first.run)
    for platform in ("linux/amd64", "linux/arm64"):
        assert plain.built("--platform", platform) == {"a"}
    return plain


def test_an_index_of_several_platforms_stays(first: Machine) -> None:
    plain = with_two_platforms(first)
    index = first.registry.tags["p/a", "latest"]
    assert plain.elsewhere("other").built("--platform", "linux/amd64") == set()
    assert first.registry.tags["p/a", "latest"] == index
    kind, _ = first.registry.manifests["p/a", index]
    assert "index" in kind


def test_a_platform_that_was_only_found_published_is_left_out_when_it_is_not_up_to_date(
    first: Machine,
) -> None:
    plain = with_two_platforms(first)
    other = plain.elsewhere("other")
    other.built("--platform", "linux/amd64")
    (other.tiny.root / "base/a/x").write_text("another x")
    assert other.built("--platform", "linux/amd64") == {"a"}
    kind, _ = first.registry.manifests["p/a", first.registry.tags["p/a", "latest"]]
    assert "index" not in kind
