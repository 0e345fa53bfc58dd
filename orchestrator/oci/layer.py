"""Layers: what is known of a finished one."""

from __future__ import annotations

from dataclasses import dataclass

LAYER_MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"

UNPACKED = "io.orch.unpacked-bytes"
"""Annotation of a layer's descriptor: the size of its files, in bytes."""
KEY = "io.orch.key"
"""Annotation of a layer's descriptor: the key of all that decides its bytes."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A finished layer: its blob's digest and size, its diffID, and what it is, for people.

    `key` is the key of its inputs, where it was assembled: the layers of one key in an image are
    all that was made of these inputs.
    """

    digest: str
    diff_id: str
    size_bytes: int
    unpacked_bytes: int
    what: str
    key: str = ""

    @property
    def descriptor(self) -> dict[str, object]:
        """Return the content descriptor (OCI image specification, descriptor.md)."""
        return {
            "mediaType": LAYER_MEDIA_TYPE,
            "digest": self.digest,
            "size": self.size_bytes,
            "annotations": {
                UNPACKED: str(self.unpacked_bytes),
                **({KEY: self.key} if self.key else {}),
            },
        }
