"""Images of one small layer, put into a layout, for tests."""

from __future__ import annotations

import hashlib

from orchestrator.model import Platform
from orchestrator.oci.image import BuiltImage, make_image
from orchestrator.oci.layer import Layer
from orchestrator.oci.layout import Layout

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


def add_image(
    layout: Layout, content: bytes = b"a layer", platform: Platform = AMD64
) -> BuiltImage:
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    source = layout.folder.parent / digest[7:]
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(content)
    image = make_image(platform, {"User": "7"}, [Layer(digest, digest, len(content), 9, "x")], {})
    layout.add_file(digest, source)
    layout.add_blob(image.config)
    layout.add_blob(image.manifest)
    return image
