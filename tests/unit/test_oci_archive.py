"""A docker-archive: a manifest.json, and each blob once however many images share it."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from orchestrator.errors import AssemblyError
from orchestrator.model import Platform
from orchestrator.oci.archive import docker_archive
from orchestrator.oci.image import make_image
from orchestrator.oci.layout import Layout
from tests.images import add_image


def read(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
        assert len({member.name for member in members}) == len(members)
        files = {member.name: archive.extractfile(member) for member in members}
        return {name: file.read() for name, file in files.items() if file}


def test_images_that_share_a_layer_carry_it_once(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    one = add_image(layout, b"shared")
    two = make_image(Platform("linux", "amd64"), {"User": "8"}, one.layers, {})
    layout.add_blob(two.config)
    layout.add_blob(two.manifest)
    images = {"one:latest": one.digest, "two:latest": two.digest}
    files = read(b"".join(docker_archive(layout, images)))
    rows = json.loads(files.pop("manifest.json"))
    assert [row["RepoTags"] for row in rows] == [["one:latest"], ["two:latest"]]
    assert rows[0]["Layers"] == rows[1]["Layers"]
    assert set(files) == {rows[0]["Config"], rows[1]["Config"], *rows[0]["Layers"]}
    assert files[rows[0]["Layers"][0]] == b"shared"
    assert files[rows[1]["Config"]] == two.config.data


def test_an_image_with_two_tags_is_carried_once(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    digest = add_image(layout).digest
    files = read(b"".join(docker_archive(layout, {"a:1": digest, "a:2": digest})))
    assert len(json.loads(files["manifest.json"])) == 2


@pytest.mark.parametrize("blob", ["layer", "config"])
def test_a_blob_that_lacks_is_an_error_with_its_digest(tmp_path: Path, blob: str) -> None:
    layout = Layout(tmp_path / "layout")
    image = add_image(layout)
    digest = image.layers[0].digest if blob == "layer" else image.config.digest
    layout.blob_path(digest).unlink()
    with pytest.raises(AssemblyError, match=digest):
        list(docker_archive(layout, {"a:1": image.digest}))
