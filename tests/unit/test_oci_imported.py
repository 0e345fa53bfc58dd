"""Images of other makers, taken into the layout."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from orchestrator.errors import AssemblyError
from orchestrator.oci.archive import docker_archive
from orchestrator.oci.image import Blob, canonical_json
from orchestrator.oci.imported import import_archive, import_layout
from orchestrator.oci.layout import Layout
from tests.saved import CONFIG, DIFF_ID, MANIFEST, PLAIN, saved


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def test_a_saved_image_keeps_its_layers_and_what_it_runs(layout: Layout) -> None:
    digest = import_archive(layout, saved())
    assert layout.has_image(digest)
    (layer,), runtime = layout.read_image(digest)
    assert (layer.diff_id, layer.unpacked_bytes, layer.what) == (DIFF_ID, len(PLAIN), "COPY a /a")
    assert runtime == {"Env": ["A=b"], "User": "1000"}


def test_a_layer_that_comes_compressed_is_taken_as_it_is(layout: Layout) -> None:
    packed = gzip.compress(PLAIN[:100]) + gzip.compress(PLAIN[100:])
    digest = import_archive(layout, saved(("x/layer.tar", packed)))
    (layer,), _ = layout.read_image(digest)
    assert layer.digest == f"sha256:{hashlib.sha256(packed).hexdigest()}"
    assert (layer.diff_id, layer.unpacked_bytes) == (DIFF_ID, len(PLAIN))


def test_neither_time_nor_machine_reach_an_imported_image(layout: Layout, tmp_path: Path) -> None:
    later = {**CONFIG, "created": "2027-01-01T00:00:00Z", "docker_version": "99"}
    other = import_archive(
        Layout(tmp_path / "other"), saved(("config.json", json.dumps(later).encode()))
    )
    assert other == import_archive(layout, saved())


def test_an_imported_image_can_be_loaded_again(layout: Layout) -> None:
    digest = import_archive(layout, saved())
    again = b"".join(docker_archive(layout, {"a:latest": digest}))
    assert again.count(b"manifest.json") == 1


@pytest.mark.parametrize(
    "changed",
    [
        ("x/layer.tar", b"other bytes"),
        ("manifest.json", b"[]"),
        ("config.json", b"{"),
        ("manifest.json", json.dumps([{**MANIFEST[0], "Layers": ["../../etc/passwd"]}]).encode()),
    ],
)
def test_an_archive_that_is_not_sound_is_refused_and_leaves_nothing(
    layout: Layout, changed: tuple[str, bytes]
) -> None:
    with pytest.raises(AssemblyError, match="not sound"):
        import_archive(layout, saved(changed))
    assert not list(layout.folder.glob(".import-*"))


def test_an_image_of_another_layout_keeps_its_digest(layout: Layout, tmp_path: Path) -> None:
    other = Layout(tmp_path / "other")
    layer = Blob("application/vnd.oci.image.layer.v1.tar+gzip", b"gz")
    config = Blob("application/vnd.oci.image.config.v1+json", canonical_json(CONFIG))
    manifest = Blob(
        "application/vnd.oci.image.manifest.v1+json",
        canonical_json({"config": config.descriptor, "layers": [layer.descriptor]}),
    )
    for blob in (layer, config, manifest):
        other.add_blob(blob)
    size_bytes, _, layers = import_layout(layout, other.folder, manifest.digest)
    assert layout.has_image(manifest.digest)
    assert size_bytes == len(layer.data) + len(config.data) + len(manifest.data)
    assert [(item.diff_id, item.what) for item in layers] == [(DIFF_ID, "COPY a /a")]
    assert layout.read_image(manifest.digest)[0][0].what == "COPY a /a"
