"""A wheel as a segment: its files where the image's venv has them, scripts, RECORD, bytecode."""

from __future__ import annotations

import configparser
import hashlib
import itertools
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from installer.scripts import Script
from installer.utils import parse_entrypoints

from orchestrator.engines.assembler.bytecode import Compiler, pyc_path
from orchestrator.engines.assembler.elf import is_elf, read_elf
from orchestrator.engines.assembler.wheel.archive import (
    Member,
    WheelArchive,
    gathered,
)
from orchestrator.oci.joining import directories_of
from orchestrator.oci.segment import Hash, SegmentInfo, SegmentWriter
from orchestrator.oci.tar import Entry

_INSTALLER = b"orch\n"


@dataclass(frozen=True)
class Venv:
    """Where an image's virtual environment is (PEP 405): `/opt/venv` and `3.11`."""

    path: str
    python: str

    @cached_property
    def root(self) -> str:
        """Return the path as layers write it, without leading slash."""
        return self.path.strip("/")

    @cached_property
    def site_packages(self) -> str:
        """Return the folder of packages, without leading slash."""
        return f"{self.root}/lib/python{self.python}/site-packages"

    @property
    def interpreter(self) -> str:
        """Return the interpreter's absolute path, for the first line of scripts."""
        return f"{self.path}/bin/python"

    def place(self, archive: WheelArchive, path: str) -> tuple[str, bool]:
        """Return where a wheel's file is installed, and whether it is a script.

        Source: PEP 427, "The .data directory", with the venv scheme of sysconfig.
        """
        if not path.startswith(f"{archive.data_dir}/"):
            return f"{self.site_packages}/{path}", False
        scheme, _, rest = path.removeprefix(f"{archive.data_dir}/").partition("/")
        places = {
            "purelib": self.site_packages,
            "platlib": self.site_packages,
            "scripts": f"{self.root}/bin",
            "data": self.root,
            "headers": f"{self.root}/include/site/python{self.python}/{archive.dist_info}",
        }
        if scheme not in places or not rest:
            raise archive.error(f"{path} belongs to no installation scheme")
        return f"{places[scheme]}/{rest}", scheme == "scripts"


def write_wheel_segment(
    archive: WheelArchive, venv: Venv, writer: SegmentWriter, compiler: Compiler | None
) -> None:
    """Write what installing a wheel leaves in a venv; bytecode too, where a compiler is given.

    Files come first, as the deflate data they are in the wheel; then what is made here.

    Raises:
        ArtifactError: The wheel is damaged, or its files are not those RECORD names.
    """
    install = _Installation(archive, venv, writer, keeps_sources=compiler is not None)
    recorded = archive.record()
    for member in archive.members():
        if member.path != f"{archive.dist_info}/RECORD":
            _check_record(archive, member, recorded, install.write_member(member))
    install.write_scripts()
    if compiler:
        install.write_bytecode(compiler)
    install.write_record()
    writer.info.notes["elf"] = install.elf


def wheel_directories(
    archive: WheelArchive, venv: Venv, compiler: Compiler | None
) -> dict[str, Entry]:
    """Return the directories that lead to what a wheel leaves in a venv, before it is laid out.

    Raises:
        ArtifactError: The wheel is damaged.
    """
    paths = [venv.place(archive, member.path)[0] for member in archive.members()]
    if compiler:
        sources = [path for path in paths if path.endswith(".py")]
        paths += [pyc_path(path, compiler.interpreter) for path in sources]
    if archive.text("entry_points.txt") is not None:
        paths.append(f"{venv.root}/bin/launcher")
    info = SegmentInfo()
    for folder in dict.fromkeys(path.rpartition("/")[0] for path in paths):
        info.note(Entry(f"{folder}/file"))  # one of its files stands for all
    return directories_of([info])


def _check_record(
    archive: WheelArchive, member: Member, recorded: Mapping[str, str], found: str
) -> None:
    expected = recorded.get(member.path)
    if expected == found or member.path.endswith(
        (".dist-info/RECORD.jws", ".dist-info/RECORD.p7s")
    ):
        return
    if expected is None:
        raise archive.error(f"{member.path} is not in RECORD")
    algorithm = expected.partition("=")[0]
    if algorithm in {"sha384", "sha512"}:
        digest = hashlib.new(algorithm)
        for piece in archive.pieces(member):
            digest.update(piece.plain)
        found = record_form(algorithm, digest.digest())
    if expected.rstrip("=") != found:
        raise archive.error(f"{member.path} is {found}, RECORD says {expected or 'nothing'}")


def record_form(algorithm: str, digest: bytes) -> str:
    """Return a digest as RECORD writes it: `sha256=` and unpadded URL-safe base64."""
    return f"{algorithm}={urlsafe_b64encode(digest).rstrip(b'=').decode()}"


@dataclass(slots=True)
class _Installation:
    """A wheel on its way into a venv, and what is gathered on that way."""

    archive: WheelArchive
    venv: Venv
    writer: SegmentWriter
    keeps_sources: bool
    sources: list[tuple[str, bytes]] = field(default_factory=list)
    elf: list[dict[str, Any]] = field(default_factory=list)
    rows: dict[str, tuple[str, int]] = field(default_factory=dict)

    def write_member(self, member: Member) -> str:
        """Write a file of the wheel and return the digest of what it is there, as in RECORD."""
        target, is_script = self.venv.place(self.archive, member.path)
        if self._holds(target):
            raise self.archive.error(f"{member.path} is installed where another file of it is")
        mode = 0o755 if is_script or member.is_executable else 0o644
        if is_script or not member.is_deflated:
            return self._write_stored(member, target, mode, is_script=is_script)
        entry = Entry(target, mode=mode, size_bytes=member.size_bytes)
        digest = hashlib.sha256()
        self.writer.begin_deflated(entry)
        self._keep(target, self._copy(member, digest), member.size_bytes)
        self.writer.end_deflated(entry, member.crc32, digest.hexdigest())
        recorded = record_form("sha256", digest.digest())
        self.rows[target] = (recorded, member.size_bytes)
        return recorded

    def _write_stored(self, member: Member, target: str, mode: int, *, is_script: bool) -> str:
        """Write a file that is not deflated, or whose first line is to be another."""
        data = b"".join(piece.plain for piece in self.archive.pieces(member))
        self._add(target, _with_interpreter(data, self.venv) if is_script else data, mode)
        self._keep(target, iter((data,)), len(data))
        return record_form("sha256", hashlib.sha256(data).digest())

    def write_scripts(self) -> None:
        """Write the launchers that entry_points.txt asks for (entry points specification)."""
        text = self.archive.text("entry_points.txt")
        if text is None:
            return
        try:
            points = sorted(parse_entrypoints(text))
        except (AssertionError, ValueError, KeyError, configparser.Error) as error:
            raise self.archive.error(f"entry_points.txt cannot be read: {error!r}") from error
        for name, module, attribute, section in points:
            if "/" in name or name in {"", ".", ".."}:
                raise self.archive.error(f"the script name {name!r} is no file name")
            script = Script(name, module, attribute, section)
            _, data = script.generate(self.venv.interpreter, "posix")
            target = f"{self.venv.root}/bin/{name}"
            if not self._holds(target):
                self._add(target, data, 0o755)

    def write_bytecode(self, compiler: Compiler) -> None:
        """Write the bytecode of all sources that compile."""
        for source, pyc in compiler.compile(self.sources):
            target = pyc_path(source, compiler.interpreter).lstrip("/")
            if self._holds(target):
                continue
            self.writer.add(Entry(target, size_bytes=len(pyc)), pyc)
            self.rows[target] = ("", -1)

    def write_record(self) -> None:
        """Write INSTALLER and RECORD as installed (recording installed projects, PEP 376)."""
        folder = f"{self.venv.site_packages}/{self.archive.dist_info}"
        if not self._holds(f"{folder}/INSTALLER"):
            self._add(f"{folder}/INSTALLER", _INSTALLER)
        rows = sorted({**self.rows, f"{folder}/RECORD": ("", -1)}.items())
        text = "".join(f"{_record_line(self.venv, path, *row)}\n" for path, row in rows).encode()
        self.writer.add(Entry(f"{folder}/RECORD", size_bytes=len(text)), text)

    def _holds(self, target: str) -> bool:
        """Tell whether the wheel ships a file itself: no archive may hold a path twice."""
        return target in self.rows

    def _add(self, target: str, data: bytes, mode: int = 0o644) -> None:
        self.writer.add(Entry(target, mode=mode, size_bytes=len(data)), data)
        self.rows[target] = (record_form("sha256", hashlib.sha256(data).digest()), len(data))

    def _copy(self, member: Member, digest: Hash) -> Iterator[bytes]:
        for piece in self.archive.pieces(member):
            digest.update(piece.plain)
            self.writer.deflated(piece.stored, piece.plain)
            yield piece.plain

    def _keep(self, target: str, chunks: Iterator[bytes], size_bytes: int) -> None:
        """Run through a file's data, keeping sources and what the dynamic linker reads."""
        first = next(chunks, b"")
        if self.keeps_sources and target.endswith(".py"):
            self.sources.append((f"/{target}", b"".join([first, *chunks])))
        elif is_elf(first):
            with gathered(itertools.chain([first], chunks), size_bytes) as data:
                found = read_elf(data, target)
            if found:
                self.elf.append(found.to_json())
        else:
            deque(chunks, maxlen=0)


def _with_interpreter(data: bytes, venv: Venv) -> bytes:
    """Put the image's interpreter into a script's first line (PEP 427, "#!python")."""
    if not data.startswith(b"#!python"):
        return data
    _, newline, rest = data.partition(b"\n")
    return f"#!{venv.interpreter}".encode() + newline + rest


def _record_line(venv: Venv, target: str, digest: str, size_bytes: int) -> str:
    site = f"{venv.site_packages}/"
    path = target.removeprefix(site)
    if not target.startswith(site):
        path = "../../../" + target.removeprefix(f"{venv.root}/")
    if any(mark in path for mark in ',"\n'):
        path = '"' + path.replace('"', '""') + '"'
    return f"{path},{digest},{size_bytes if size_bytes >= 0 else ''}"
