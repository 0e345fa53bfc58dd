"""Reads what the dynamic linker reads of an ELF file, and nothing else of it."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from elftools.common.exceptions import ELFError, ELFParseError
from elftools.elf.elffile import ELFFile

MAGIC = b"\x7fELF"

_MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64", "EM_386": "i686", "EM_ARM": "arm"}
_TYPES = {"ET_EXEC": "exec", "ET_DYN": "dyn", "ET_REL": "rel", "ET_CORE": "core"}
_NEEDED, _STRTAB, _SONAME, _RPATH, _RUNPATH, _NULL = 1, 5, 14, 15, 29, 0


@dataclass(frozen=True, slots=True)
class ElfFile:
    """An ELF file's header and dynamic section; `path` is where the image has it.

    `machine` is the kernel's name (`x86_64`, `aarch64`), or `EM_...` for others; `elf_class`
    is 32 or 64; `elf_type` is `exec`, `dyn`, `rel` or `core`.
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


def is_elf(first_bytes: bytes) -> bool:
    """Tell from a file's first four bytes, or more, whether it is an ELF file."""
    return first_bytes[:4] == MAGIC


def read_elf(data: BinaryIO, path: str) -> ElfFile | None:
    """Read an ELF file that is open for reading and seeking; `path` is its place in the image.

    None for what is no ELF file, or is a damaged one: such files are data (test fixtures of
    packages, for the most part), and the dynamic linker would not load them either.

    Source: System V ABI, chapters 4 and 5 (object files, dynamic linking).

    Raises:
        OSError: The file cannot be read.
    """
    data.seek(0)
    if not is_elf(data.read(4)):
        return None
    try:
        return _read(ELFFile(data), data, path)
    except (ELFError, ELFParseError, struct.error, UnicodeDecodeError, ValueError, KeyError):
        return None


def _read(elf: Any, data: BinaryIO, path: str) -> ElfFile:
    header = elf.header
    strings: dict[int, list[str]] = {}
    interpreter = ""
    for index in range(elf.num_segments()):
        segment = elf._get_segment_header(index)  # noqa: SLF001  # skips slow section lookups
        if segment["p_type"] == "PT_INTERP":
            data.seek(segment["p_offset"])
            interpreter = data.read(segment["p_filesz"]).rstrip(b"\0").decode()
        elif segment["p_type"] == "PT_DYNAMIC":
            strings = _dynamic_strings(elf, data, segment["p_offset"], segment["p_filesz"])
    return ElfFile(
        path,
        _MACHINES.get(header["e_machine"], str(header["e_machine"])),
        elf.elfclass,
        _TYPES.get(header["e_type"], str(header["e_type"])),
        next(iter(strings.get(_SONAME, ())), ""),
        tuple(strings.get(_NEEDED, ())),
        _search_path(strings.get(_RPATH, ())),
        _search_path(strings.get(_RUNPATH, ())),
        interpreter,
    )


def _search_path(values: Any) -> tuple[str, ...]:
    return tuple(part for value in values for part in value.split(":") if part)


def _dynamic_strings(elf: Any, data: BinaryIO, offset: int, size: int) -> dict[int, list[str]]:
    data.seek(offset)
    tags = list(_dynamic_tags(elf, data.read(size)))
    table = next((value for tag, value in tags if tag == _STRTAB), None)
    if table is None:
        return {}
    start = next(elf.address_offsets(table), None)
    if start is None:
        return {}
    found: dict[int, list[str]] = {}
    for tag, value in tags:
        if tag in {_NEEDED, _SONAME, _RPATH, _RUNPATH}:
            found.setdefault(tag, []).append(_string_at(data, start + value))
    return found


def _dynamic_tags(elf: Any, section: bytes) -> Iterator[tuple[int, int]]:
    order = "<" if elf.little_endian else ">"
    pair = struct.Struct(order + ("qQ" if elf.elfclass == 64 else "iI"))
    whole = len(section) - len(section) % pair.size
    for tag, value in pair.iter_unpack(section[:whole]):
        if tag == _NULL:
            return
        yield tag, value


def _string_at(data: BinaryIO, offset: int) -> str:
    data.seek(offset)
    text = b""
    while b"\0" not in text:
        chunk = data.read(128)
        if not chunk:
            break
        text += chunk
    return text.partition(b"\0")[0].decode()
