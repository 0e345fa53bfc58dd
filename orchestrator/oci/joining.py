"""Joining segments to layers: one after the other, with the directories that lead to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from isal import igzip, isal_zlib

from orchestrator.errors import AssemblyError
from orchestrator.oci.layer import Layer
from orchestrator.oci.segment import CHUNK, SegmentInfo, SegmentWriter
from orchestrator.oci.tar import END_OF_ARCHIVE, Entry, EntryKind

_MODES = {"root": 0o700, "tmp": 0o1777, "var/tmp": 0o1777}
"""Directories that files may be put into and that are not 0755 (base-files, FHS)."""


class LayerWriter:
    """Writes a layer to `out`, hashing both its compressed and its uncompressed side."""

    def __init__(self, out: BinaryIO, directories: Mapping[str, Entry]) -> None:
        self._out = _HashingWriter(out)
        self._plain = hashlib.sha256()
        self._unpacked_bytes = 0
        self.segment = SegmentWriter(self._out, self._plain)
        for path in sorted(directories):
            self.segment.add_directory(directories[path])

    def begin_segment(self) -> SegmentWriter:
        """Begin a segment that is written into the layer directly; its info is its own."""
        self._unpacked_bytes += self.segment.close().unpacked_bytes
        self.segment = SegmentWriter(self._out, self._plain)
        return self.segment

    def append(self, segment: Path, crc32: int) -> None:
        """Take over a segment as it is; `crc32` is the checksum of its bytes.

        Raises:
            AssemblyError: The segment's bytes are damaged.
        """
        self.begin_segment()
        found = 0
        with segment.open("rb") as file:
            while chunk := file.read(CHUNK):
                found = isal_zlib.crc32(chunk, found)
                self._out.write(chunk)
        if found != crc32:
            raise AssemblyError(
                f"the cached segment {segment.stem[:12]} is damaged",
                hint="build again; it is made anew",
            )
        with igzip.IGzipFile(segment, "rb") as inflated:  # type: ignore[no-untyped-call]
            while chunk := inflated.read(CHUNK):
                self._plain.update(chunk)

    def close(self, what: str, unpacked_bytes: int = 0) -> Layer:
        """End the archive; `unpacked_bytes` is what appended segments hold."""
        self.begin_segment().add_end(END_OF_ARCHIVE)
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


def directories_of(infos: Iterable[SegmentInfo]) -> dict[str, Entry]:
    """Return the directories that segments hold, and those that lead to what they hold.

    Of a directory that several hold, the first one's mode and owner count.
    """
    infos = list(infos)
    found: dict[str, Entry] = {}
    for info in infos:
        for entry in info.entries:
            if entry.kind == "directory":
                known = Entry(
                    entry.path, EntryKind.DIRECTORY, entry.mode, uid=entry.uid, gid=entry.gid
                )
                found.setdefault(entry.path, known)
    for info in infos:
        for entry in info.entries:
            folder = entry.path.rpartition("/")[0]
            while folder and folder not in found:
                found[folder] = Entry(folder, EntryKind.DIRECTORY, _MODES.get(folder, 0o755))
                folder = folder.rpartition("/")[0]
    return found


def split_clashing(infos: Mapping[str, SegmentInfo]) -> list[list[str]]:
    """Group segments, by key, so that no group holds a path twice; mostly one group.

    An archive with a path twice is refused by Docker. Segments keep their order: what comes
    later lies in a later group, and so above.
    """
    groups: list[list[str]] = [[]]
    held: set[str] = set()
    for key, info in infos.items():
        paths = {entry.path for entry in info.entries if entry.kind != "directory"}
        if held & paths:
            groups.append([])
            held = set()
        groups[-1].append(key)
        held |= paths
    return groups
