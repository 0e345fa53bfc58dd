"""Segments and layers kept by the key of their inputs, shared by all images and workspaces."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from orchestrator.atomic import replacing, write_text
from orchestrator.errors import AssemblyError
from orchestrator.oci.joining import LayerWriter, directories_of, split_clashing
from orchestrator.oci.layer import Layer
from orchestrator.oci.segment import CHUNK, SegmentInfo, SegmentWriter
from orchestrator.oci.tar import Entry
from orchestrator.usage import note_use

FORMAT = 5
"""Part of every key; raised when segments or layers are written differently."""

_BUFFER_BYTES = 1 << 18
"""What is gathered before it is written: most files of a package are small."""


@dataclass(frozen=True, slots=True)
class FileData:
    """An entry's data, in a file that must still be what its digest says."""

    path: Path
    sha256: str

    def chunks(self, size_bytes: int) -> Iterator[bytes]:
        """Yield the file's data.

        Raises:
            AssemblyError: It is of another size or digest.
        """
        digest, size = hashlib.sha256(), 0
        with self.path.open("rb") as file:
            while size <= size_bytes and (chunk := file.read(CHUNK)):
                digest.update(chunk)
                size += len(chunk)
                if size <= size_bytes:
                    yield chunk
        if size != size_bytes or digest.hexdigest() != self.sha256:
            raise AssemblyError(f"{self.path} changed while it was being read", hint="build again")


Data = bytes | FileData


def key_of(*parts: object) -> str:
    """Return the key of inputs: strings, numbers, and tuples of these."""
    return hashlib.sha256(json.dumps([FORMAT, *parts]).encode()).hexdigest()


class Store:
    """A folder of segments and layers.

    What is there is whole: bytes come first, the small file that vouches for them last. Two
    processes that make the same thing make the same bytes, so that the last one wins harmlessly.
    `published` are layers by their key that a registry has: they are known, their blobs are there.
    `told` is what a registry says that segments hold: it is believed, and never kept here.
    """

    def __init__(
        self,
        folder: Path,
        published: Mapping[str, tuple[Layer, ...]] = MappingProxyType({}),
        told: Mapping[str, SegmentInfo] = MappingProxyType({}),
    ) -> None:
        self.folder = folder
        self._published = published
        self._told = told

    def has_segment(self, key: str) -> bool:
        """Tell whether a segment is there."""
        return _is_there(self._info_path(key)) and _is_there(self.segment_path(key))

    def has_info(self, key: str) -> bool:
        """Tell whether it is known what a segment holds."""
        return key in self._told or _is_there(self._info_path(key))

    def segment_path(self, key: str) -> Path:
        """Return where a segment's bytes lie."""
        return self.folder / "segments" / key[:2] / f"{key}.gz"

    def read_info(self, key: str) -> SegmentInfo:
        """Read what a segment holds.

        Raises:
            AssemblyError: The segment is not there, or its description is damaged.
        """
        path = self._info_path(key)
        if key in self._told and not path.is_file():
            return self._told[key]
        return _read_info(path)

    def make_segment(self, key: str, write: Callable[[SegmentWriter], None]) -> None:
        """Make a segment, unless it is there."""
        if self.has_segment(key):
            return
        with replacing(self.segment_path(key), buffer_bytes=_BUFFER_BYTES) as file:
            writer = SegmentWriter(file)
            write(writer)
            info = writer.close()
        write_text(self._info_path(key), info.to_json())

    def find_layers(self, key: str) -> tuple[Layer, ...]:
        """Return the layers that were made before; nothing if a blob of theirs is gone."""
        try:
            rows = json.loads(self._layers_path(key).read_text("utf-8"))
            layers = tuple(Layer(**row, key=key) for row in rows)
            if all(self._has_blob(layer) for layer in layers) and _is_there(self._layers_path(key)):
                return layers
        except (OSError, ValueError, TypeError):
            pass
        return self._published.get(key, ())

    def _has_blob(self, layer: Layer) -> bool:
        status = note_use(self.blob_path(layer.digest))
        return status is not None and status.st_size == layer.size_bytes

    def blob_path(self, digest: str) -> Path:
        """Return where a layer's blob lies."""
        return self.folder / "blobs" / digest.removeprefix("sha256:")

    def write_single(
        self,
        key: str,
        segment: str,
        directories: Mapping[str, Entry],
        write: Callable[[SegmentWriter], None],
        what: str,
    ) -> tuple[Layer, ...]:
        """Make a layer of one segment in one go; the segment's bytes are not kept apart."""
        found = SegmentInfo()

        def fill(writer: LayerWriter) -> int:
            nonlocal found
            content = writer.begin_segment()
            write(content)
            found = content.close()
            return 0

        layer = self._make_layer(directories, fill, what)
        write_text(self._info_path(segment), found.to_json())
        return self._remember(key, [layer])

    def join_segments(self, key: str, segments: Sequence[str], what: str) -> tuple[Layer, ...]:
        """Make a layer of segments, in their order; more than one where they share a path.

        Raises:
            AssemblyError: A segment is damaged; it is thrown away.
        """
        infos = {segment: self.read_info(segment) for segment in segments}
        groups = split_clashing(infos)
        return self._remember(key, [self._join(group, infos, what) for group in groups])

    def _join(self, group: Sequence[str], infos: Mapping[str, SegmentInfo], what: str) -> Layer:
        def write(writer: LayerWriter) -> int:
            for segment in group:
                try:
                    writer.append(self.segment_path(segment), infos[segment].crc32)
                except AssemblyError:
                    self._info_path(segment).unlink(missing_ok=True)
                    raise
            return sum(infos[segment].unpacked_bytes for segment in group)

        return self._make_layer(directories_of(infos[key] for key in group), write, what)

    def write_entries(self, key: str, entries: Sequence[tuple[Entry, Data]], what: str) -> Layer:
        """Make a layer of entries whose data is at hand or in a file.

        Raises:
            AssemblyError: A file is no longer what it was when it was looked at.
        """

        def write(writer: LayerWriter) -> int:
            for entry, data in entries:
                if isinstance(data, bytes):
                    writer.segment.add(entry, data)
                else:
                    writer.segment.add_stream(entry, data.chunks(entry.size_bytes))
            return 0

        layer = self._make_layer(_directories_of(entries), write, what)
        return self._remember(key, [layer])[0]

    def _make_layer(
        self,
        directories: Mapping[str, Entry],
        write: Callable[[LayerWriter], int],
        what: str,
    ) -> Layer:
        unnamed = self.folder / "blobs" / f"unnamed-{uuid.uuid4().hex}"
        with replacing(unnamed, buffer_bytes=_BUFFER_BYTES) as file:
            writer = LayerWriter(file, directories)
            unpacked = write(writer)
            layer = writer.close(what, unpacked)
        unnamed.replace(self.blob_path(layer.digest))
        return layer

    def _remember(self, key: str, layers: Sequence[Layer]) -> tuple[Layer, ...]:
        rows = [asdict(layer) for layer in layers]
        for row in rows:
            del row["key"]  # what is stored under it needs not say it
        write_text(self._layers_path(key), json.dumps(rows))
        return tuple(replace(layer, key=key) for layer in layers)

    def _info_path(self, key: str) -> Path:
        return self.folder / "segments" / key[:2] / f"{key}.json"

    def _layers_path(self, key: str) -> Path:
        return self.folder / "layers" / key[:2] / f"{key}.json"


def _is_there(path: Path) -> bool:
    return note_use(path) is not None


@lru_cache(maxsize=2048)
def _read_info(path: Path) -> SegmentInfo:
    try:
        return SegmentInfo.from_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        path.unlink(missing_ok=True)
        raise AssemblyError(
            f"the cached segment {path.stem[:12]} is damaged and was thrown away",
            hint="build again; it is made anew",
        ) from error


def _directories_of(entries: Sequence[tuple[Entry, Data]]) -> dict[str, Entry]:
    info = SegmentInfo()
    for entry, _ in entries:
        info.note(entry)
    return directories_of([info])
