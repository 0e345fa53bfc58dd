"""One layout holds all images: named at once, by several writers, complete or not there."""

from __future__ import annotations

import json
import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import AssemblyError
from orchestrator.oci.image import INDEX_MEDIA_TYPE
from orchestrator.oci.layout import REF_NAME, Layout
from tests.images import AMD64, ARM64, add_image


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def index(layout: Layout) -> list[dict[str, Any]]:
    manifests: list[dict[str, Any]] = json.loads((layout.folder / "index.json").read_text())[
        "manifests"
    ]
    return manifests


def test_an_image_reads_back_with_its_layers_and_runtime(layout: Layout) -> None:
    image = add_image(layout)
    layers, runtime = layout.read_image(image.digest)
    assert tuple(layers) == image.layers
    assert runtime == {"User": "7"}
    assert layout.has_image(image.digest)


@pytest.mark.parametrize("blob", ["manifest", "config", "layer"])
def test_an_image_that_lacks_a_blob_is_not_there(layout: Layout, blob: str) -> None:
    image = add_image(layout)
    digests = {
        "manifest": image.digest,
        "config": image.config.digest,
        "layer": image.layers[0].digest,
    }
    layout.blob_path(digests[blob]).unlink()
    assert not layout.has_image(image.digest)


def test_an_image_with_a_layer_of_another_size_is_not_there(layout: Layout) -> None:
    image = add_image(layout)
    layer = layout.blob_path(image.layers[0].digest)
    layer.unlink()
    layer.write_bytes(b"cut")
    assert not layout.has_image(image.digest)


def test_a_layer_of_another_size_is_put_right(layout: Layout) -> None:
    image = add_image(layout)
    layer = layout.blob_path(image.layers[0].digest)
    layer.unlink()
    layer.write_bytes(b"cut")
    add_image(layout)
    assert layout.has_image(image.digest)


@pytest.mark.parametrize("content", ["", "[]", "{}", "null"])
def test_a_manifest_that_is_none_is_no_image(layout: Layout, content: str) -> None:
    image = add_image(layout)
    layout.blob_path(image.digest).write_text(content)
    assert not layout.has_image(image.digest)


def test_reading_what_is_not_there_says_what_to_do(layout: Layout) -> None:
    with pytest.raises(AssemblyError) as caught:
        layout.read_json("sha256:00")
    assert "build again" in caught.value.hint


def test_an_image_of_one_platform_is_named_by_its_manifest(layout: Layout) -> None:
    image = add_image(layout)
    layout.name({"web": (AMD64, image.digest)}, {"rev": "1"})
    (entry,) = index(layout)
    assert entry["digest"] == image.digest
    assert entry["size"] == len(image.manifest.data)
    assert entry["annotations"] == {"rev": "1", REF_NAME: "web"}
    assert json.loads((layout.folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}


def test_an_image_of_two_platforms_is_named_by_an_index(layout: Layout) -> None:
    amd, arm = add_image(layout), add_image(layout, platform=ARM64)
    layout.name({"web": (AMD64, amd.digest)}, {})
    layout.name({"web": (ARM64, arm.digest)}, {})
    (entry,) = index(layout)
    assert entry["mediaType"] == INDEX_MEDIA_TYPE
    held = layout.read_json(entry["digest"])["manifests"]
    assert [item["digest"] for item in held] == [amd.digest, arm.digest]
    assert held[1]["platform"] == {"architecture": "arm64", "os": "linux"}
    assert layout.names() == {"web": {"linux/amd64": amd.digest, "linux/arm64": arm.digest}}


def test_a_name_moves_and_the_other_platform_stays(layout: Layout) -> None:
    amd, arm = add_image(layout), add_image(layout, platform=ARM64)
    layout.name({"web": (AMD64, amd.digest)}, {})
    layout.name({"web": (ARM64, arm.digest)}, {})
    new = add_image(layout, b"newer")
    layout.name({"web": (AMD64, new.digest)}, {})
    assert layout.names() == {"web": {"linux/amd64": new.digest, "linux/arm64": arm.digest}}


def test_other_names_survive(layout: Layout) -> None:
    one, two = add_image(layout, b"1"), add_image(layout, b"2")
    layout.name({"one": (AMD64, one.digest)}, {})
    layout.name({"two": (AMD64, two.digest)}, {})
    assert sorted(layout.names()) == ["one", "two"]


def test_a_damaged_index_is_written_anew(layout: Layout) -> None:
    image = add_image(layout)
    layout.name({"web": (AMD64, image.digest)}, {})
    (layout.folder / "index.json").write_text('{"manif')
    assert layout.names() == {}
    layout.name({"api": (AMD64, image.digest)}, {})
    assert [*layout.names()] == ["api"]


def name_many(folder: str, prefix: str, digest: str, barrier: Any) -> None:
    barrier.wait()
    for number in range(25):
        Layout(Path(folder)).name({f"{prefix}{number}": (AMD64, digest)}, {})


def test_writers_in_two_processes_lose_no_name(layout: Layout) -> None:
    digest = add_image(layout).digest
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    processes = [
        context.Process(target=name_many, args=(str(layout.folder), prefix, digest, barrier))
        for prefix in ("a", "b")
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(layout.names()) == 50


def test_two_images_of_one_run_may_add_one_layer_at_the_same_time(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "layer"
    source.write_bytes(b"layer")
    both, link = threading.Barrier(2, timeout=30), Path.hardlink_to

    def link_at_once(self: Path, target: Path) -> None:
        link(self, target)
        both.wait()

    monkeypatch.setattr(Path, "hardlink_to", link_at_once)
    with ThreadPoolExecutor(2) as threads:
        adding = [threads.submit(layout.add_file, "sha256:00", source) for _ in range(2)]
    assert [item.exception() for item in adding] == [None, None]
    assert [path.name for path in layout.blob_path("sha256:00").parent.iterdir()] == ["00"]


def test_an_index_of_platforms_that_was_lost_names_nothing_and_is_made_anew(
    layout: Layout,
) -> None:
    amd64, arm64 = add_image(layout), add_image(layout, platform=ARM64)
    layout.name({"api": (AMD64, amd64.digest)}, {})
    layout.name({"api": (ARM64, arm64.digest)}, {})
    layout.blob_path(layout.roots()["api"]).unlink()
    assert layout.names() == {"api": {}}
    layout.name({"api": (AMD64, amd64.digest)}, {})
    assert layout.names() == {"api": {"linux/amd64": amd64.digest}}


@pytest.mark.parametrize(
    "runtime",
    [{"Env": "A=b"}, {"Labels": ["a"]}, {"ExposedPorts": 80}, {"User": 1000}, ["Env"]],
    ids=["Env", "Labels", "ExposedPorts", "User", "config"],
)
def test_a_runtime_of_other_types_is_an_error(layout: Layout, runtime: object) -> None:
    image = add_image(layout)
    manifest = layout.read_json(image.digest)
    path = layout.blob_path(manifest["config"]["digest"])
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "config": runtime}))
    with pytest.raises(AssemblyError, match="no image as the OCI specification has it") as raised:
        layout.read_image(image.digest)
    assert raised.value.hint
