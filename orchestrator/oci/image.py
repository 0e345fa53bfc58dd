"""Image configs and manifests (OCI image specification, config.md and manifest.md)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from orchestrator.model import Platform
from orchestrator.oci.layer import KEY, UNPACKED, Layer, what_made

CONFIG_MEDIA_TYPE = "application/vnd.oci.image.config.v1+json"
MANIFEST_MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_MEDIA_TYPE = "application/vnd.oci.image.index.v1+json"
RUNTIME_KEYS = (
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Volumes",
    "WorkingDir",
    "Labels",
    "StopSignal",
    "Healthcheck",
    "Shell",
)
"""What of Docker's `config` goes into ours; the rest is of containers, or of Docker alone."""

_RUNTIME_KINDS: Mapping[str, type] = MappingProxyType(
    {"Env": list, "ExposedPorts": dict, "Volumes": dict, "Labels": dict, "User": str}
)


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes with their digest; what a config or a manifest is stored as."""

    media_type: str
    data: bytes

    @property
    def digest(self) -> str:
        """Return the digest, `sha256:` and 64 hexadecimal digits."""
        return "sha256:" + hashlib.sha256(self.data).hexdigest()

    @property
    def descriptor(self) -> dict[str, Any]:
        """Return the content descriptor (OCI image specification, descriptor.md)."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data)}


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image as blobs: its config, its manifest, and its layers, the parent's first."""

    config: Blob
    manifest: Blob
    layers: tuple[Layer, ...]

    @property
    def digest(self) -> str:
        """Return the manifest's digest, which is the image's."""
        return self.manifest.digest

    @property
    def size_bytes(self) -> int:
        """Return what the image weighs in a registry: manifest, config and layers."""
        layers = sum(layer.size_bytes for layer in self.layers)
        return layers + len(self.manifest.data) + len(self.config.data)

    @property
    def unpacked_bytes(self) -> int:
        """Return the size of all files in all layers."""
        return sum(layer.unpacked_bytes for layer in self.layers)


def make_image(
    platform: Platform,
    runtime: Mapping[str, Any],
    layers: Sequence[Layer],
    annotations: Mapping[str, str],
) -> BuiltImage:
    """Put an image together; `runtime` is the config's `config` object.

    Neither clock nor machine reaches the image: there is no `created`.
    """
    config = Blob(
        CONFIG_MEDIA_TYPE,
        canonical_json(
            {
                "architecture": platform.architecture,
                "os": platform.os,
                "config": dict(runtime),
                "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
                "history": [{"created_by": f"orch: {layer.what}"} for layer in layers],
            }
        ),
    )
    manifest = Blob(
        MANIFEST_MEDIA_TYPE,
        canonical_json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_MEDIA_TYPE,
                "config": config.descriptor,
                "layers": [layer.descriptor for layer in layers],
                "annotations": dict(annotations),
            }
        ),
    )
    return BuiltImage(config, manifest, tuple(layers))


def make_index(manifests: Mapping[str, Mapping[str, Any]]) -> Blob:
    """Put several platforms' manifests together, given as descriptors by platform.

    Source: OCI image specification, image-index.md.
    """
    document = {
        "schemaVersion": 2,
        "mediaType": INDEX_MEDIA_TYPE,
        "manifests": [manifests[key] for key in sorted(manifests)],
    }
    return Blob(INDEX_MEDIA_TYPE, canonical_json(document))


def canonical_json(value: Any) -> bytes:
    """Return JSON whose bytes depend on nothing but the value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def layers_of(manifest: Mapping[str, Any], config: Mapping[str, Any]) -> list[Layer]:
    """Return an image's layers, as its manifest and config tell of them.

    Raises:
        ValueError: They have not as many layers.
        KeyError, TypeError, AttributeError: They are not what the specification says.
    """
    history = [item for item in config.get("history") or () if not item.get("empty_layer")]
    if len(history) != len(manifest["layers"]):  # who made it elsewhere may leave it out
        history = [{} for _ in manifest["layers"]]
    rows = zip(manifest["layers"], config["rootfs"]["diff_ids"], history, strict=True)
    return [
        Layer(
            item["digest"],
            diff_id,
            item["size"],
            int(item.get("annotations", {}).get(UNPACKED, 0)),
            what_made(says.get("created_by", "")),
            item.get("annotations", {}).get(KEY, ""),
        )
        for item, diff_id, says in rows
    ]


def runtime_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a config says of containers: of its `config`, the keys that ours has.

    Raises:
        TypeError: A value is of another kind than the specification says.
    """
    runtime = config.get("config") or {}
    for key, kind in _RUNTIME_KINDS.items():
        if not isinstance(runtime.get(key) or kind(), kind):
            raise TypeError(f"{key} of its config is no {kind.__name__}")
    return {key: runtime[key] for key in RUNTIME_KEYS if runtime.get(key) is not None}
