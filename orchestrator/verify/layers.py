"""What a layer holds, read once: names, modes, sizes, and of few files what is in them."""

from __future__ import annotations

import re
import shutil
import tarfile
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from orchestrator.checks.secrets import FoundSecret, find_secrets
from orchestrator.engines.assembler.elf import ElfFile, is_elf, read_elf
from orchestrator.errors import AssemblyError
from orchestrator.oci.reading import UNREADABLE, members, opened_layer

_MAGIC_BYTES = 4
_IN_MEMORY_BYTES = 32 << 20
_KEPT_BYTES = 32 << 20
_TEXT_BYTES = 1 << 20
"""Longer files are no settings and no sources that somebody forgot a secret in."""

_KEPT = re.compile(
    r"etc/(?:passwd|group|ld\.so\.conf(?:\.d/[^/]+)?)"
    r"|.*\.dist-info/RECORD"
    r"|var/lib/dpkg/(?:status\.d/[^/]+\.md5sums|info/[^/]+\.(?:list|md5sums))"
)
_PACKAGED = re.compile(r"usr/(?!local/|src/)|var/lib/|(?:.*/)?(?:site|dist)-packages/")
"""Where packages put files that hold keys to test with, and more that nobody of here wrote."""
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_KINDS = {
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "fifo",
}


@dataclass(frozen=True, slots=True)
class LayerFile:
    """A member of a layer; `kind` is file, directory, symlink, hardlink, device or fifo."""

    path: str
    kind: str
    mode: int
    size_bytes: int = 0
    uid: int = 0
    gid: int = 0
    link: str = ""


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """All that is known of a layer; `removed` and `emptied` are what it takes from below.

    `texts` has the few files that tell about others, by path; `elves` what the dynamic linker
    reads.
    """

    files: tuple[LayerFile, ...] = ()
    removed: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)
    elves: dict[str, ElfFile] = field(default_factory=dict)
    secrets: dict[str, tuple[FoundSecret, ...]] = field(default_factory=dict)


class LayerReader:
    """Reads layers, each once however many images have it; threads share one.

    `find` gives the file of a layer's blob.
    """

    def __init__(self, find: Callable[[str], Path]) -> None:
        self._find = find
        self._known: dict[str, LayerFacts] = {}
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def read(self, digest: str) -> LayerFacts:
        """Return what a layer holds.

        Raises:
            AssemblyError: Its blob is not here, or is damaged.
        """
        with self._lock:
            alone = self._locks[digest]
        with alone:
            if digest not in self._known:
                self._known[digest] = read_layer(self._find(digest))
            return self._known[digest]


def read_layer(blob: Path) -> LayerFacts:
    """Read a layer that is packed with gzip.

    Source: OCI image specification, layer.md.

    Raises:
        AssemblyError: It is not here, or damaged.
    """
    facts = LayerFacts()
    files: list[LayerFile] = []
    removed: list[str] = []
    emptied: list[str] = []
    try:
        with opened_layer(blob) as archive:
            for member in members(archive):
                path = str(PurePosixPath(member.name.lstrip("/")))
                folder, _, name = path.rpartition("/")
                if name == _OPAQUE:
                    emptied.append(folder)
                elif name.startswith(_WHITEOUT):
                    removed.append(str(PurePosixPath(folder, name.removeprefix(_WHITEOUT))))
                elif path != ".":
                    files.append(_described(member, path))
                    if member.isreg() and (content := archive.extractfile(member)):
                        _read_content(facts, files[-1], content)
    except UNREADABLE as error:
        raise AssemblyError(
            f"layer {blob.name[:12]} cannot be read: {error}",
            hint="build the image again with orch build --force",
        ) from error
    return LayerFacts(
        tuple(files), tuple(removed), tuple(emptied), facts.texts, facts.elves, facts.secrets
    )


def _described(member: tarfile.TarInfo, path: str) -> LayerFile:
    kind = _KINDS.get(member.type, "file")
    link = member.linkname if kind == "symlink" else member.linkname.lstrip("/")
    return LayerFile(path, kind, member.mode & 0o7777, member.size, member.uid, member.gid, link)


def _read_content(facts: LayerFacts, file: LayerFile, content: IO[bytes]) -> None:
    start = content.read(_MAGIC_BYTES)
    if is_elf(start):
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as copy:
            copy.write(start)
            shutil.copyfileobj(content, copy)
            if elf := read_elf(copy, file.path):
                facts.elves[file.path] = elf
    elif _KEPT.fullmatch(file.path):
        facts.texts[file.path] = (start + content.read(_KEPT_BYTES)).decode("utf-8", "replace")
    elif file.size_bytes <= _TEXT_BYTES and not _PACKAGED.match(file.path):
        data = start + content.read()
        if b"\0" not in data and (found := tuple(find_secrets(data.decode("utf-8", "replace")))):
            facts.secrets[file.path] = found
