"""Images of a docker-archive, taken into the layout: what `docker save` gives, old and new."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

from isal import igzip

from orchestrator.atomic import replacing
from orchestrator.errors import AssemblyError
from orchestrator.model import Platform
from orchestrator.oci.image import make_image
from orchestrator.oci.layer import Layer
from orchestrator.oci.layout import Layout

_CHUNK = 1 << 20
_LEVEL = 1
_KEPT = (
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


def import_archive(layout: Layout, archive: Iterator[bytes]) -> str:
    """Take the one image of a docker-archive into the layout, unnamed; return its digest there.

    Layers keep their diffIDs and are compressed anew. Neither times nor machine reach the image.

    Source: Docker image specification 1.2; engines from 25 on put an OCI layout around it.

    Raises:
        AssemblyError: The archive is not whole, or has no single image.
    """
    with tempfile.TemporaryDirectory(dir=_made(layout.folder), prefix=".import-") as text:
        folder = Path(text)
        try:
            _unpack(archive, folder)
            (row,) = json.loads((folder / "manifest.json").read_bytes())
            config = json.loads(_inside(folder, row["Config"]).read_bytes())
            paths = [_inside(folder, name) for name in row["Layers"]]
            diff_ids = config["rootfs"]["diff_ids"]
            says = [item for item in config.get("history") or () if not item.get("empty_layer")]
            whats = [item.get("created_by", "") for item in says]
            if len(whats) != len(paths):
                whats = [""] * len(paths)
            layers = [
                _import_layer(layout, *item) for item in zip(paths, diff_ids, whats, strict=True)
            ]
            platform = Platform(config["os"], config["architecture"])
        except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
            raise AssemblyError(
                f"the engine's archive of an image is not sound: {error}"
            ) from error
    image = make_image(platform, _runtime(config.get("config") or {}), layers, {})
    layout.add_blob(image.config)
    layout.add_blob(image.manifest)
    return image.digest


def import_layout(layout: Layout, folder: Path, digest: str) -> tuple[int, int, tuple[Layer, ...]]:
    """Take an image of another layout, unnamed: its size, unpacked too, and its layers.

    Raises:
        AssemblyError: The other layout lacks a part of it.
    """
    other = Layout(folder)
    manifest = other.read_json(digest)
    config = other.read_json(manifest["config"]["digest"])
    says = [item for item in config.get("history") or () if not item.get("empty_layer")]
    rows = manifest["layers"], config["rootfs"]["diff_ids"]
    size_bytes = other.blob_path(digest).stat().st_size + manifest["config"]["size"]
    layers = []
    for number, (item, diff_id) in enumerate(zip(*rows, strict=True)):
        what = says[number].get("created_by", "") if len(says) == len(rows[0]) else ""
        layers.append(Layer(item["digest"], diff_id, item["size"], 0, what))
        layout.add_file(item["digest"], other.blob_path(item["digest"]))
    for part in (manifest["config"]["digest"], digest):  # the manifest last: it vouches for all
        layout.add_file(part, other.blob_path(part))
    return size_bytes + sum(layer.size_bytes for layer in layers), 0, tuple(layers)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _unpack(archive: Iterator[bytes], folder: Path) -> None:
    """Write the archive's members; links among them too, by which old engines share layers."""
    with tarfile.open(fileobj=_Stream(archive), mode="r|") as stream:
        stream.extractall(folder, filter="data")


def _inside(folder: Path, name: str) -> Path:
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise ValueError(f"{name!r} leads out of the archive")
    return folder / name


def _import_layer(layout: Layout, path: Path, diff_id: str, what: str) -> Layer:
    plain, packed = hashlib.sha256(), hashlib.sha256()
    with path.open("rb") as read, tempfile.NamedTemporaryFile(dir=path.parent) as written:
        size_bytes = 0
        out = _Hashed(written, packed)
        with igzip.GzipFile(fileobj=out, mode="wb", compresslevel=_LEVEL, mtime=0) as file:  # type: ignore[no-untyped-call]
            while chunk := read.read(_CHUNK):
                plain.update(chunk)
                size_bytes += len(chunk)
                file.write(chunk)  # type: ignore[no-untyped-call]
        written.flush()
        if f"sha256:{plain.hexdigest()}" != diff_id:
            raise ValueError(f"a layer is not {diff_id}")
        digest = f"sha256:{packed.hexdigest()}"
        with replacing(layout.blob_path(digest)) as blob:
            written.seek(0)
            while chunk := written.read(_CHUNK):
                blob.write(chunk)
    return Layer(digest, diff_id, out.size_bytes, size_bytes, what)


def _runtime(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: config[key] for key in _KEPT if config.get(key)}


class _Stream(io.RawIOBase):
    """Pieces of bytes as a file to read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, have = [self._rest], len(self._rest)
        while size < 0 or have < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            parts.append(piece)
            have += len(piece)
        whole = b"".join(parts)
        end = len(whole) if size < 0 else size
        self._rest = whole[end:]
        return whole[:end]


class _Hashed:
    def __init__(self, out: IO[bytes], digest: Any) -> None:
        self._out = out
        self._digest = digest
        self.size_bytes = 0

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        self.size_bytes += len(data)
        return self._out.write(data)

    def flush(self) -> None:
        self._out.flush()
