"""Reads what the dynamic linker reads of an ELF file, and nothing else of it."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

MAGIC = b"\x7fELF"

_MACHINES = {3: "i686", 40: "arm", 62: "x86_64", 183: "aarch64"}
_TYPES = {1: "rel", 2: "exec", 3: "dyn", 4: "core"}
_CLASSES, _ORDERS = {1: 32, 2: 64}, {1: "<", 2: ">"}
_IDENT_BYTES = 16
_LOAD, _DYNAMIC, _INTERP = 1, 2, 3
_NEEDED, _STRTAB, _SONAME, _RPATH, _RUNPATH, _NULL = 1, 5, 14, 15, 29, 0
_MOST_HEADER_BYTES, _MOST_DYNAMIC_BYTES, _MOST_TEXT_BYTES = 1 << 10, 1 << 18, 1 << 12
_MOST_NAMES = 4096
"""More than these no file has; who says so would have all of it read, over and over."""


@dataclass(frozen=True, slots=True)
class ElfFile:
    """An ELF file's header and dynamic section; `path` is where the image has it.

    `machine` is the kernel's name (`x86_64`, `aarch64`), or `EM_` and its number for others;
    `elf_class` is 32 or 64; `elf_type` is `exec`, `dyn`, `rel` or `core`.
    """

    path: str
    machine: str
    elf_class: int
    elf_type: str
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    interpreter: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the facts in JSON's types, empty ones left out."""
        facts: dict[str, Any] = {
            "path": self.path,
            "machine": self.machine,
            "class": self.elf_class,
            "type": self.elf_type,
        }
        optional = {
            "soname": self.soname,
            "needed": list(self.needed),
            "rpath": list(self.rpath),
            "runpath": list(self.runpath),
            "interpreter": self.interpreter,
        }
        return facts | {key: value for key, value in optional.items() if value}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> ElfFile:
        """Read what `to_json` gave.

        Raises:
            KeyError: A fact that every file has is missing.
        """
        return cls(
            facts["path"],
            facts["machine"],
            facts["class"],
            facts["type"],
            facts.get("soname", ""),
            tuple(facts.get("needed", ())),
            tuple(facts.get("rpath", ())),
            tuple(facts.get("runpath", ())),
            facts.get("interpreter", ""),
        )


class Readable(Protocol):
    """What can be read at random."""

    def seek(self, offset: int, /) -> int: ...

    def read(self, size: int, /) -> bytes: ...


def is_elf(first_bytes: bytes) -> bool:
    """Tell from a file's first four bytes, or more, whether it is an ELF file."""
    return first_bytes[:4] == MAGIC


def read_elf(data: Readable, path: str) -> ElfFile | None:
    """Read an ELF file that is open for reading and seeking; `path` is its place in the image.

    None for what is no ELF file, or is a damaged one: such files are data (test fixtures of
    packages, for the most part), and the dynamic linker would not load them either.

    Source: System V ABI, chapters 4 and 5 (object files, dynamic linking).

    Raises:
        OSError: The file cannot be read.
    """
    data.seek(0)
    ident = data.read(_IDENT_BYTES)
    if not is_elf(ident):
        return None
    try:
        return _read(_Shape(_CLASSES[ident[4]], _ORDERS[ident[5]]), data, path)
    except (struct.error, ValueError, KeyError, IndexError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class _Shape:
    """How numbers lie in a file: in words of 32 or 64 bits, in which order."""

    elf_class: int
    order: str

    def unpack(self, wide: str, narrow: str, data: bytes) -> tuple[int, ...]:
        """Unpack a structure, given as it is in files of 64 and of 32 bits."""
        form = self.order + (wide if self.elf_class == 64 else narrow)
        return struct.unpack_from(form, data)


@dataclass(frozen=True, slots=True)
class _Segment:
    """A program header, as far as it is used."""

    kind: int
    offset: int
    address: int
    file_bytes: int


def _read(shape: _Shape, data: Readable, path: str) -> ElfFile:
    header = data.read(48)
    elf_type, machine, _, _, start, _, _, _, entry_bytes, count = shape.unpack(
        "HHIQQQIHHH", "HHIIIIIHHH", header
    )
    segments = _segments(shape, data, start, entry_bytes, count)
    strings: dict[int, list[str]] = {}
    interpreter = ""
    for segment in segments:
        if segment.kind == _INTERP:
            data.seek(segment.offset)
            size = min(segment.file_bytes, _MOST_TEXT_BYTES)
            interpreter = data.read(size).partition(b"\0")[0].decode()
        elif segment.kind == _DYNAMIC:
            strings = _dynamic_strings(shape, data, segment, segments)
    return ElfFile(
        path,
        _MACHINES.get(machine, f"EM_{machine}"),
        shape.elf_class,
        _TYPES.get(elf_type, f"ET_{elf_type}"),
        next(iter(strings.get(_SONAME, ())), ""),
        tuple(strings.get(_NEEDED, ())),
        _search_path(strings.get(_RPATH, ())),
        _search_path(strings.get(_RUNPATH, ())),
        interpreter,
    )


def _segments(
    shape: _Shape, data: Readable, start: int, entry_bytes: int, count: int
) -> list[_Segment]:
    if entry_bytes > _MOST_HEADER_BYTES:
        raise ValueError(f"program headers of {entry_bytes} bytes")
    data.seek(start)
    table = data.read(entry_bytes * count)
    found = []
    for number in range(count):
        entry = table[number * entry_bytes : (number + 1) * entry_bytes]
        if shape.elf_class == 64:
            kind, _, offset, address, _, size = shape.unpack("IIQQQQ", "", entry)
        else:
            kind, offset, address, _, size = shape.unpack("", "IIIII", entry)
        found.append(_Segment(kind, offset, address, size))
    return found


def _search_path(values: Any) -> tuple[str, ...]:
    return tuple(part for value in values for part in value.split(":") if part)


def _dynamic_strings(
    shape: _Shape, data: Readable, dynamic: _Segment, segments: Sequence[_Segment]
) -> dict[int, list[str]]:
    data.seek(dynamic.offset)
    tags = list(_dynamic_tags(shape, data.read(min(dynamic.file_bytes, _MOST_DYNAMIC_BYTES))))
    table = next((value for tag, value in tags if tag == _STRTAB), None)
    start = None if table is None else _offset_of(table, segments)
    if start is None:
        return {}
    found: dict[int, list[str]] = {}
    named = [tag for tag in tags if tag[0] in {_NEEDED, _SONAME, _RPATH, _RUNPATH}]
    for tag, value in named[:_MOST_NAMES]:
        found.setdefault(tag, []).append(_string_at(data, start + value))
    return found


def _offset_of(address: int, segments: Sequence[_Segment]) -> int | None:
    """Return where in the file lies what is loaded at an address."""
    for segment in segments:
        if segment.kind == _LOAD and 0 <= address - segment.address < segment.file_bytes:
            return segment.offset + address - segment.address
    return None


def _dynamic_tags(shape: _Shape, section: bytes) -> Iterator[tuple[int, int]]:
    pair = struct.Struct(shape.order + ("qQ" if shape.elf_class == 64 else "iI"))
    whole = len(section) - len(section) % pair.size
    for tag, value in pair.iter_unpack(section[:whole]):
        if tag == _NULL:
            return
        yield tag, value


def _string_at(data: Readable, offset: int) -> str:
    data.seek(offset)
    text = b""
    while b"\0" not in text and len(text) < _MOST_TEXT_BYTES:
        chunk = data.read(128)
        if not chunk:
            break
        text += chunk
    return text.partition(b"\0")[0].decode()
