"""Images of a docker-archive, taken into the layout: what `docker save` gives, old and new."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from isal import igzip

from orchestrator.errors import AssemblyError
from orchestrator.model import Platform
from orchestrator.oci.image import RUNTIME_KEYS, make_image
from orchestrator.oci.layer import Layer, what_made
from orchestrator.oci.layout import Layout
from orchestrator.oci.reading import UNREADABLE, open_tar
from orchestrator.oci.unpacking import is_below, unpack

_CHUNK = 1 << 20
_LEVEL = 1
_GZIP = b"\x1f\x8b"
_MOST_BYTES = 256 << 30
_MALFORMED: tuple[type[Exception], ...] = (
    *UNREADABLE,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
)


def imported_file(layout: Layout, digest: str) -> Path:
    """Return the file that says under which digest the layout has an image of an engine."""
    return imported_folder(layout) / digest.replace(":", "-")


def imported_folder(layout: Layout) -> Path:
    """Return the folder of such files."""
    return layout.folder.with_name("imported")


def import_archive(layout: Layout, archive: Iterator[bytes]) -> str:
    """Take the one image of a docker-archive into the layout, unnamed; return its digest there.

    Layers keep their diffIDs; those that come plain are compressed. Neither times nor machine
    reach the image.

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
            whats = [what_made(item.get("created_by", "")) for item in says]
            if len(whats) != len(paths):
                whats = [""] * len(paths)
            layers = [
                _import_layer(layout, *item) for item in zip(paths, diff_ids, whats, strict=True)
            ]
            platform = Platform(config["os"], config["architecture"])
        except _MALFORMED as error:
            raise AssemblyError(
                f"the engine's archive of an image is not sound ({error!r})",
                hint="see what this gives: docker save IMAGE | tar t; restart or update the engine",
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
        is_told = len(says) == len(rows[0])
        what = what_made(says[number].get("created_by", "")) if is_told else ""
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
    with open_tar(_Stream(archive)) as stream:
        deque(unpack(stream, folder, _MOST_BYTES), maxlen=0)


def _inside(folder: Path, name: str) -> Path:
    if not is_below(folder, name):
        raise ValueError(f"{name!r} leads out of the archive")
    return folder / name


def _import_layer(layout: Layout, path: Path, diff_id: str, what: str) -> Layer:
    """Take a layer; engines that keep layers as they came give it compressed, others plain."""
    with path.open("rb") as file:
        is_packed = file.read(2) == _GZIP
    packed = path if is_packed else path.with_name(f"{path.name}.gz")
    if not is_packed:
        with (
            path.open("rb") as read,
            igzip.GzipFile(  # type: ignore[no-untyped-call]
                packed, mode="wb", compresslevel=_LEVEL, mtime=0
            ) as written,
        ):
            shutil.copyfileobj(read, written, _CHUNK)
    found, size_bytes = hashlib.sha256(), 0
    opened = igzip.open(packed, "rb") if is_packed else path.open("rb")  # type: ignore[no-untyped-call]
    with opened as plain:
        while chunk := plain.read(_CHUNK):
            found.update(chunk)
            size_bytes += len(chunk)
    if f"sha256:{found.hexdigest()}" != diff_id:
        raise ValueError(f"a layer is not {diff_id}")
    with packed.open("rb") as file:
        digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    layout.add_file(digest, packed)
    return Layer(digest, diff_id, packed.stat().st_size, size_bytes, what)


def _runtime(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: config[key] for key in RUNTIME_KEYS if config.get(key)}


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
