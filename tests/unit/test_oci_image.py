"""Configs and manifests: descriptors of real bytes, and nothing of clock or machine."""

from __future__ import annotations

import hashlib
import json

from orchestrator.model import Platform
from orchestrator.oci.image import make_image
from orchestrator.oci.layer import Layer

LAYERS = [
    Layer("sha256:aa", "sha256:a1", 10, 20, "1 deb"),
    Layer("sha256:bb", "sha256:b1", 5, 6, "x"),
]


def test_the_manifest_describes_config_and_layers() -> None:
    image = make_image(Platform("linux", "arm64"), {"User": "1:1"}, LAYERS, {"k": "v"})
    manifest, config = json.loads(image.manifest.data), json.loads(image.config.data)
    digest = "sha256:" + hashlib.sha256(image.config.data).hexdigest()
    assert (manifest["config"]["digest"], manifest["config"]["size"]) == (
        digest,
        len(image.config.data),
    )
    assert image.digest == "sha256:" + hashlib.sha256(image.manifest.data).hexdigest()
    assert [layer["digest"] for layer in manifest["layers"]] == ["sha256:aa", "sha256:bb"]
    assert config["rootfs"]["diff_ids"] == ["sha256:a1", "sha256:b1"]
    assert (config["architecture"], config["os"]) == ("arm64", "linux")
    assert (manifest["annotations"], config["config"]) == ({"k": "v"}, {"User": "1:1"})


def test_there_is_one_line_of_history_for_each_layer() -> None:
    config = json.loads(make_image(Platform("linux", "amd64"), {}, LAYERS, {}).config.data)
    assert [row["created_by"] for row in config["history"]] == ["orch: 1 deb", "orch: x"]
    assert "created" not in config


def test_sizes_add_up() -> None:
    image = make_image(Platform("linux", "amd64"), {}, LAYERS, {})
    assert image.unpacked_bytes == 26
    assert image.size_bytes == 15 + len(image.config.data) + len(image.manifest.data)


def test_the_order_of_keys_does_not_reach_the_digest() -> None:
    platform = Platform("linux", "amd64")
    one = make_image(platform, {"a": 1, "b": {"c": 2, "d": 3}}, LAYERS, {"x": "1", "y": "2"})
    other = make_image(platform, {"b": {"d": 3, "c": 2}, "a": 1}, LAYERS, {"y": "2", "x": "1"})
    assert one.digest == other.digest
