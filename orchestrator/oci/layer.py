"""Layers: segments put one after the other, with the directories that lead to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from isal import igzip, igzip_lib

from orchestrator.errors import AssemblyError
from orchestrator.oci.segment import CHUNK, SegmentInfo, SegmentWriter
from orchestrator.oci.tar import END_OF_ARCHIVE, Entry, EntryKind

LAYER_MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


UNPACKED = "io.orch.unpacked-bytes"
"""Annotation of a layer's descriptor: the size of its files, in bytes."""


_MODES = {"root": 0o700, "tmp": 0o1777, "var/tmp": 0o1777}
"""Directories that files may be put into and that are not 0755 (base-files, FHS)."""


_DAMAGED = (OSError, EOFError, igzip.BadGzipFile, igzip_lib.IsalError)


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


class LayerWriter:
    """Writes a layer to `out`, hashing both its compressed and its uncompressed side."""

    def __init__(self, out: BinaryIO, directories: Mapping[str, Entry]) -> None:
        self._out = _HashingWriter(out)
        self._plain = hashlib.sha256()
        self._unpacked_bytes = 0
        self.segment = SegmentWriter(self._out, self._plain)
        for path in sorted(directories):
            self.segment.add(directories[path])

    def append(self, segment: Path, tar_bytes: int) -> None:
        """Take over a segment as it is; `tar_bytes` is what it must inflate to.

        Raises:
            AssemblyError: The segment's bytes are damaged.
        """
        self._unpacked_bytes += self.segment.close().unpacked_bytes
        self.segment = SegmentWriter(self._out, self._plain)
        with segment.open("rb") as file:
            while chunk := file.read(CHUNK):
                self._out.write(chunk)
        problem = ""
        try:
            with igzip.IGzipFile(segment, "rb") as inflated:  # type: ignore[no-untyped-call]
                while chunk := inflated.read(CHUNK):
                    self._plain.update(chunk)
                    tar_bytes -= len(chunk)
        except _DAMAGED as error:
            problem = f": {error}"
        if problem or tar_bytes:
            raise AssemblyError(
                f"the cached segment {segment.stem[:12]} is damaged{problem}",
                hint="build again; it is made anew",
            )

    def close(self, what: str, unpacked_bytes: int = 0) -> Layer:
        """End the archive; `unpacked_bytes` is what appended segments hold."""
        self._unpacked_bytes += self.segment.close().unpacked_bytes
        self.segment = SegmentWriter(self._out, self._plain)
        self.segment.add_end(END_OF_ARCHIVE)
        return Layer(
            digest="sha256:" + self._out.sha256.hexdigest(),
            diff_id="sha256:" + self._plain.hexdigest(),
            size_bytes=self._out.size_bytes,
            unpacked_bytes=self._unpacked_bytes + unpacked_bytes,
            what=what,
        )


class _HashingWriter:
    def __init__(self, out: BinaryIO) -> None:
        self.sha256 = hashlib.sha256()
        self.size_bytes = 0
        self._out = out

    def write(self, data: bytes | memoryview) -> int:
        self.sha256.update(data)
        self.size_bytes += len(data)
        return self._out.write(data)


def leading_directories(infos: Iterable[SegmentInfo]) -> dict[str, Entry]:
    """Return the directories that lead to what segments hold, less those they hold themselves."""
    infos = list(infos)
    found: dict[str, Entry] = {}
    own = {entry.path for info in infos for entry in info.entries if entry.kind == "directory"}
    for info in infos:
        for entry in info.entries:
            folder = entry.path.rpartition("/")[0]
            while folder and folder not in found:
                mode = _MODES.get(folder, 0o755)
                found[folder] = Entry(folder, EntryKind.DIRECTORY, mode)
                folder = folder.rpartition("/")[0]
    return {path: entry for path, entry in found.items() if path not in own}
