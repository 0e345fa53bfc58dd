"""Images as a docker-archive: what `docker load` takes, in old engines and new."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from orchestrator.errors import AssemblyError
from orchestrator.oci.layout import Layout
from orchestrator.oci.tar import END_OF_ARCHIVE, Entry, padding, tar_header

_CHUNK = 1 << 20


def docker_archive(layout: Layout, images: Mapping[str, str]) -> Iterator[bytes]:
    """Yield an archive of images, given as manifest digest by tag, piece by piece.

    Blobs go in once however many images share them, gzipped as they are.

    Source: Docker image specification 1.2, "Combined image JSON + filesystem changeset format".

    Raises:
        AssemblyError: The layout lacks a blob.
    """
    rows = []
    written: set[str] = set()
    for tag, digest in images.items():
        manifest = layout.read_json(digest)
        config = manifest["config"]["digest"].removeprefix("sha256:")
        names = []
        for layer in manifest["layers"]:
            name = f"{layer['digest'].removeprefix('sha256:')}.tar.gz"
            names.append(name)
            if name not in written:
                yield from _file(layout, layer["digest"], name, layer["size"])
                written.add(name)
        if config not in written:
            size = manifest["config"]["size"]
            yield from _file(layout, manifest["config"]["digest"], f"{config}.json", size)
            written.add(config)
        rows.append({"Config": f"{config}.json", "RepoTags": [tag], "Layers": names})
    data = json.dumps(rows).encode()
    yield tar_header(Entry("manifest.json", size_bytes=len(data))) + data + padding(len(data))
    yield END_OF_ARCHIVE


def _file(layout: Layout, digest: str, name: str, size_bytes: int) -> Iterator[bytes]:
    path = layout.blob_path(digest)
    if not (path.is_file() and path.stat().st_size == size_bytes):
        raise AssemblyError(
            f"the layout has no whole {digest}", hint="build again; what lacks is made anew"
        )
    yield tar_header(Entry(name, size_bytes=size_bytes))
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
    yield padding(size_bytes)
