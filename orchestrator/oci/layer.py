"""Layers: what is known of a finished one."""

from __future__ import annotations

from dataclasses import dataclass

LAYER_MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"

UNPACKED = "io.orch.unpacked-bytes"
"""Annotation of a layer's descriptor: the size of its files, in bytes."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A finished layer: its blob's digest and size, its diffID, and what it is, for people."""

    digest: str
    diff_id: str
    size_bytes: int
    unpacked_bytes: int
    what: str

    @property
    def descriptor(self) -> dict[str, object]:
        """Return the content descriptor (OCI image specification, descriptor.md)."""
        return {
            "mediaType": LAYER_MEDIA_TYPE,
            "digest": self.digest,
            "size": self.size_bytes,
            "annotations": {UNPACKED: str(self.unpacked_bytes)},
        }
