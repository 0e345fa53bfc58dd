"""Layers: what is known of a finished one."""

from __future__ import annotations

import re
from dataclasses import dataclass

LAYER_MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"

UNPACKED = "io.orch.unpacked-bytes"
"""Annotation of a layer's descriptor: the size of its files, in bytes."""
KEY = "io.orch.key"
"""Annotation of a layer's descriptor: the key of all that decides its bytes."""

_ARGUMENTS = re.compile(r"(RUN )?\|\d+ ")


def what_made(created_by: str) -> str:
    """Return what made a layer, from its row of an image's history, for people.

    Docker writes the build arguments of a RUN before its command, `|1 TOKEN=x /bin/sh -c make`.
    Their values may be secret: what stands before the last shell is left out, and the command
    too where another shell runs it.
    """
    if not _ARGUMENTS.match(created_by):
        return created_by.removeprefix("orch: ")
    _, shell, command = created_by.rpartition("/bin/sh -c ")
    return f"RUN {shell}{command}" if shell else "RUN"


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
