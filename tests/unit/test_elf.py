"""ELF facts are read as the dynamic linker reads them."""

from __future__ import annotations

import io
import struct

from orchestrator.engines.assembler.elf import ElfFile, is_elf, read_elf
from tests.debs import make_elf


def read(data: bytes) -> ElfFile | None:
    return read_elf(io.BytesIO(data), "usr/lib/libx.so")


def test_the_dynamic_section_gives_soname_needs_and_runpath() -> None:
    elf = read(make_elf("libx.so.1", ["libc.so.6", "libm.so.6"], runpath="$ORIGIN:/opt/lib"))
    assert elf is not None
    assert (elf.soname, elf.needed) == ("libx.so.1", ("libc.so.6", "libm.so.6"))
    assert (elf.runpath, elf.rpath) == (("$ORIGIN", "/opt/lib"), ())
    assert (elf.machine, elf.elf_class, elf.elf_type) == ("x86_64", 64, "dyn")


def test_the_interpreter_of_a_program_is_read() -> None:
    elf = read(make_elf(interpreter="/lib64/ld-linux-x86-64.so.2", elf_type=2))
    assert elf is not None
    assert (elf.interpreter, elf.elf_type) == ("/lib64/ld-linux-x86-64.so.2", "exec")


def test_machines_are_named_as_the_kernel_does() -> None:
    elf = read(make_elf(machine=183))
    assert elf is not None
    assert elf.machine == "aarch64"


def test_a_file_of_32_bits_in_the_other_byte_order_is_read() -> None:
    strings = b"\0libx.so.2\0libc.so.6\0"
    tags = struct.pack(">" + "iI" * 4, 14, 1, 1, 11, 5, 0x1000 + 160, 0, 0)
    size = 160 + len(strings)
    load = struct.pack(">8I", 1, 0, 0x1000, 0x1000, size, size, 5, 0x1000)
    dynamic = struct.pack(">8I", 2, 116, 0x1074, 0x1074, len(tags), len(tags), 6, 4)
    ident = b"\x7fELF\x01\x02\x01".ljust(16, b"\0")
    header = struct.pack(">HHIIIIIHHHHHH", 3, 20, 1, 0, 52, 0, 0, 52, 32, 2, 40, 0, 0)
    data = (ident + header + load + dynamic + tags).ljust(160, b"\0") + strings
    expected = ElfFile("usr/lib/libx.so", "EM_20", 32, "dyn", "libx.so.2", ("libc.so.6",))
    assert read(data) == expected


def test_what_is_no_elf_file_is_nothing() -> None:
    assert read(b"#!/bin/sh\n") is None
    assert read(b"") is None


def test_a_damaged_elf_file_is_data() -> None:
    assert read(make_elf()[:40]) is None


def test_a_table_of_strings_outside_the_file_is_data() -> None:
    data = make_elf("libx.so.1", ["libc.so.6"])
    broken = data.replace(b"libc.so.6", b"\xff" * 9)
    assert read(broken) is None


def test_first_bytes_tell_an_elf_file() -> None:
    assert is_elf(b"\x7fELF\x02")
    assert not is_elf(b"\x7fEL")


def test_facts_survive_the_way_through_json() -> None:
    elf = read(make_elf("libx.so.1", ["libc.so.6"], rpath="/a:/b"))
    assert elf is not None
    assert ElfFile.from_json(elf.to_json()) == elf
