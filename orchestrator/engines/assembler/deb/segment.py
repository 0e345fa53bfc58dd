"""Turns a Debian package into a segment of a layer, and notes what it means for the image."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any, cast

from orchestrator.engines.assembler.bytecode import Compiler, pyc_path
from orchestrator.engines.assembler.deb.actions import Action, Chmod, Copy, Omit, action_to_json
from orchestrator.engines.assembler.deb.compression import CHUNK
from orchestrator.engines.assembler.deb.paths import (
    ALIASES,
    canonical,
    is_left_out,
    leads_to_itself,
)
from orchestrator.engines.assembler.deb.reader import DebArchive, DebMember, open_deb
from orchestrator.engines.assembler.deb.rule_table import RULES
from orchestrator.engines.assembler.deb.rules import CANNOT_DO, KEPT_CONTENTS
from orchestrator.engines.assembler.deb.scripts import plan_actions
from orchestrator.engines.assembler.deb.status import write_status
from orchestrator.engines.assembler.elf import ElfFile, is_elf, read_elf
from orchestrator.errors import ArtifactError, AssemblyError
from orchestrator.model import LockedDeb
from orchestrator.oci.segment import SegmentWriter
from orchestrator.oci.tar import Entry, EntryKind

_MAX_KEPT_BYTES = 1 << 20
_SPOOL_BYTES = 16 << 20
_PYTHON_SOURCE = re.compile(r"usr/lib/python3(\.\d+)?/.*\.py")


def write_deb_segment(
    deb_file: Path, deb: LockedDeb, writer: SegmentWriter, compiler: Compiler | None = None
) -> None:
    """Write a package's files to a segment, and to its notes what the finaliser must know.

    Python sources are compiled where a compiler is given, as py3compile does in postinst.

    Paths are those of a merged /usr. Documentation is left out as Debian's slim images do,
    copyright files are kept. Notes get `deb` (name, version), `elf` (facts of its ELF files),
    `actions` (what its scripts would leave behind), `left_out` (what stays undone, in words)
    and `contents` (texts by path).

    Raises:
        ArtifactError: The package cannot be read, or holds what no image can.
        AssemblyError: One of its scripts does what is not known here.
        OSError: The package's file cannot be read or the segment not written.
    """
    with open_deb(deb_file, deb.name) as archive:
        actions = _for_architecture(plan_actions(deb.name, archive.control), deb)
        writer.info.notes["deb"] = {"name": deb.name, "version": deb.version}
        write_status(deb, archive.control, writer)
        _Laying(deb, writer, actions, compiler).lay(archive)
        writer.info.notes["actions"] = [
            action_to_json(action) for action in actions if not isinstance(action, Omit | Chmod)
        ]
        rule = RULES.get(deb.name)
        if rule is not None and rule.left_out:
            writer.info.notes["left_out"] = rule.left_out


def keeps_content(path: str) -> bool:
    """Tell whether the finaliser wants to know a file's text."""
    return any(fnmatchcase(path, pattern) for pattern in KEPT_CONTENTS)


class _Laying:
    """One package on its way into a segment."""

    def __init__(
        self,
        deb: LockedDeb,
        writer: SegmentWriter,
        actions: list[Action],
        compiler: Compiler | None,
    ) -> None:
        self._deb, self._writer, self._compiler = deb, writer, compiler
        self._sources: list[tuple[str, bytes]] = []
        self._omitted = {action.path for action in actions if isinstance(action, Omit)}
        self._kept = {action.source for action in actions if isinstance(action, Copy)}
        self._modes = {action.path: action.mode for action in actions if isinstance(action, Chmod)}
        self._plain_folders: set[str] = set()
        self._leading: set[str] = set()
        self._written: set[str] = set()
        self._no_folders: set[str] = set()
        self._elf: dict[str, ElfFile] = {}

    def lay(self, archive: DebArchive) -> None:
        for member in archive.members():
            entry = self._place(member.entry)
            if entry is None:
                continue
            if entry.kind is EntryKind.FILE:
                self._lay_file(entry, member)
            else:
                self._lay_other(entry)
        if odd := sorted(self._leading & self._no_folders):
            raise ArtifactError(
                f"Debian package {self._deb.name} ships {odd[0]} as a folder and as none",
                hint="pick another version of the package",
            )
        self._lay_bytecode()
        for folder in sorted(self._plain_folders - self._leading):
            self._add(Entry(folder, EntryKind.DIRECTORY, 0o755))
        elf_files = sorted(self._elf.values(), key=lambda elf: elf.path)
        self._writer.info.notes["elf"] = [elf.to_json() for elf in elf_files]

    def _place(self, entry: Entry) -> Entry | None:
        """Return the entry as it stands in the image, or nothing where it is left out."""
        is_symlink = entry.kind is EntryKind.SYMLINK
        path = canonical(entry.path)
        if path in self._omitted or is_left_out(path, is_symlink=is_symlink):
            return None
        for pattern, why in CANNOT_DO.items():
            if fnmatchcase(path, pattern):
                raise AssemblyError(
                    f"Debian package {self._deb.name} ships {path}: {why}",
                    hint="nothing of an image is run while it is assembled; pick another"
                    " package, or define this image by a Dockerfile",
                )
        link = canonical(entry.link) if entry.kind is EntryKind.HARDLINK else entry.link
        if is_symlink and leads_to_itself(path, entry):
            return None
        mode = self._modes.get(path, entry.mode)
        return replace(entry, path=path, link=link, mode=mode)

    def _lay_other(self, entry: Entry) -> None:
        if entry.kind is EntryKind.DIRECTORY and _is_plain(entry):
            self._plain_folders.add(entry.path)
            return
        if entry.kind is EntryKind.HARDLINK and entry.link in self._elf:
            self._elf[entry.path] = replace(self._elf[entry.link], path=entry.path)
        self._add(entry)

    def _lay_file(self, entry: Entry, member: DebMember) -> None:
        first = next(member.chunks, b"")
        if is_elf(first):
            self._lay_elf(entry, first, member.chunks)
            return
        if self._compiler is not None and _PYTHON_SOURCE.fullmatch(entry.path):
            source = b"".join(_chain(first, member.chunks))
            self._sources.append((f"/{entry.path}", source))
            self._add_stream(entry, (source,) if source else ())
            return
        if keeps_content(entry.path) or entry.path in self._kept:
            first += b"".join(member.chunks) if entry.size_bytes <= _MAX_KEPT_BYTES else b""
            self._keep(entry, first)
        self._add_stream(entry, _chain(first, member.chunks))

    def _lay_bytecode(self) -> None:
        if self._compiler is None:
            return
        for source, pyc in self._compiler.compile(self._sources):
            path = pyc_path(source, self._compiler.interpreter).lstrip("/")
            self._add_stream(Entry(path, size_bytes=len(pyc)), (pyc,))

    def _keep(self, entry: Entry, data: bytes) -> None:
        """Note a file's text; a text must be whole, for copies are made of it."""
        try:
            text = data.decode() if len(data) == entry.size_bytes else None
        except UnicodeDecodeError:
            text = None
        if text is None:
            raise ArtifactError(
                f"Debian package {self._deb.name}: {entry.path} is too large, or no UTF-8 text",
                hint="pick another package, or define this image by a Dockerfile",
            )
        self._writer.info.notes.setdefault("contents", {})[entry.path] = text

    def _lay_elf(self, entry: Entry, first: bytes, rest: Iterator[bytes]) -> None:
        with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as spool:
            for chunk in _chain(first, rest):
                spool.write(chunk)
            elf = read_elf(cast("Any", spool), entry.path)
            if elf is not None:
                self._elf[entry.path] = elf
            spool.seek(0)
            self._add_stream(entry, _chunks(spool))

    def _add(self, entry: Entry) -> None:
        self._add_stream(entry, ())

    def _add_stream(self, entry: Entry, chunks: Any) -> None:
        if entry.path.partition("/")[0] in ALIASES:
            raise AssertionError(f"{entry.path} would hide the link of a merged /usr")
        if entry.path in self._written:
            raise ArtifactError(
                f"Debian package {self._deb.name} ships {entry.path} twice in a merged /usr",
                hint="pick another version of the package",
            )
        self._written.add(entry.path)
        if entry.kind is not EntryKind.DIRECTORY:
            self._no_folders.add(entry.path)
        folder = entry.path.rpartition("/")[0]
        while folder and folder not in self._leading:
            self._leading.add(folder)
            folder = folder.rpartition("/")[0]
        self._writer.add_stream(entry, chunks)


def _is_plain(entry: Entry) -> bool:
    return (entry.mode, entry.uid, entry.gid) == (0o755, 0, 0)


def _for_architecture(actions: list[Action], deb: LockedDeb) -> list[Action]:
    """Put the multiarch tuple into the paths of a rule's directories."""
    multiarch = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}.get(deb.architecture)
    return [
        replace(action, path=action.path.format(multiarch=multiarch))
        if not isinstance(action, Copy) and "{multiarch}" in action.path
        else action
        for action in actions
    ]


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.read(CHUNK), b"")
