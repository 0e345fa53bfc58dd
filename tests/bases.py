"""External images in a registry of this machine, for tests: published, and moved."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.model import Platform
from orchestrator.oci.image import make_image, make_index
from orchestrator.oci.layer import Layer
from orchestrator.publish.http_registry import HttpRegistry
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import BlobInfo, Manifest
from orchestrator.publish.wire import Wire
from tests.helpers import AMD64


def publish(
    address: str,
    name: str,
    tag: str,
    files: Mapping[str, str],
    *,
    platforms: Sequence[Platform] = (AMD64,),
    index: bool = False,
) -> str:
    """Publish an image of one layer of these files; return the digest that its tag names then.

    With several platforms, or where it is asked for, that is the digest of an index.
    """
    plain, packed = _layer(files)
    layer = Layer(digest_of(packed), digest_of(plain), len(packed), len(plain), "files")
    wire = Wire(actions="pull,push", retry_s=0.01, find=lambda _: None)
    registry, place = HttpRegistry(wire), Repository(address, name)
    rows = {}
    try:
        for platform in platforms:
            runtime = {"Env": ["FROM_BASE=yes"], "Cmd": ["/bin/base"]}
            image = make_image(platform, runtime, [layer], {})
            for data in (packed, image.config.data):
                _send(registry, place, data)
            manifest = Manifest(image.manifest.media_type, image.manifest.data)
            registry.write_manifest(place, manifest.digest, manifest)
            known = {"os": platform.os, "architecture": platform.architecture}
            rows[platform.key] = {**image.manifest.descriptor, "platform": known}
        named = manifest
        if index or len(rows) > 1:
            blob = make_index(rows)
            named = Manifest(blob.media_type, blob.data)
        registry.write_manifest(place, tag, named)
    finally:
        wire.close()
    return named.digest


def diff_id_of(files: Mapping[str, str]) -> str:
    """Return the diffID of the layer of an image of these files."""
    return digest_of(_layer(files)[0])


def _layer(files: Mapping[str, str]) -> tuple[bytes, bytes]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue(), gzip.compress(out.getvalue(), mtime=0)


def _send(registry: HttpRegistry, place: Repository, data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        registry.write_blob(place, BlobInfo(digest_of(data), len(data)), Path(file.name))


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
