"""The image's own Python is unpacked and used, where it runs; elsewhere the running one."""

from __future__ import annotations

import platform as machine
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.engines.assembler.bytecode import Compiler
from orchestrator.engines.assembler.interpreter import bytecode_version, find_interpreter
from orchestrator.errors import AssemblyError
from orchestrator.model import LockedDeb, Platform
from tests.debs import file, link, make_deb

NATIVE = Platform("linux", "amd64" if machine.machine() == "x86_64" else "arm64")
FOREIGN = Platform("linux", "arm64" if machine.machine() == "x86_64" else "amd64")
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
LOADER = f'#!/bin/sh\nshift 3\nexec {sys.executable} "$@"\n'.encode()


def deb(name: str, version: str = "1.0") -> LockedDeb:
    return LockedDeb(name, version, NATIVE.debian, f"sha of {name} {version}", 0, "")


@dataclass
class Source:
    """Makes packages when they are fetched, and notes which were."""

    folder: Path
    fetched: list[str] = field(default_factory=list)

    def __call__(self, wanted: LockedDeb) -> Path:
        self.fetched.append(wanted.name)
        members = {
            f"python{RUNNING}-minimal": [
                file(f"./usr/bin/python{RUNNING}", b"binary", 0o755),
                link("./usr/bin/python-absolute", f"/usr/bin/python{RUNNING}"),
            ],
            "libc6": [
                file(f"./{NATIVE.loader}.real", LOADER, 0o755),
                link(f"./{NATIVE.loader}", f"{NATIVE.loader.rpartition('/')[2]}.real"),
            ],
        }
        return make_deb(self.folder / f"{wanted.name}.deb", members.get(wanted.name, []))


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


CHAIN = (deb("libc6"), deb("curl"), deb(f"python{RUNNING}-minimal", f"{RUNNING}.2-6+deb12u1"))


def test_only_what_the_interpreter_needs_is_unpacked_and_once(
    source: Source, tmp_path: Path
) -> None:
    first = find_interpreter(RUNNING, NATIVE, CHAIN, source, tmp_path / "cache")
    second = find_interpreter(RUNNING, NATIVE, CHAIN, source, tmp_path / "cache")
    assert first == second
    assert source.fetched == ["libc6", f"python{RUNNING}-minimal"]
    assert first.version == f"{RUNNING}.2"
    assert [*(tmp_path / "cache/interpreters").iterdir()] == [
        Path(first.command[-1]).parent.parent.parent
    ]


def test_it_is_started_by_its_own_loader_with_its_own_libraries(
    source: Source, tmp_path: Path
) -> None:
    found = find_interpreter(RUNNING, NATIVE, CHAIN, source, tmp_path / "cache")
    root = str(Path(found.command[-1]).parent.parent.parent)
    assert found.command[0] == f"{root}/{NATIVE.loader}"
    assert found.command[1] == "--library-path"
    assert all(folder.startswith(root) for folder in found.command[2].split(":"))
    with Compiler(found) as compiler:
        assert [path for path, _ in compiler.compile([("/a.py", b"x = 1\n")])] == ["/a.py"]


def test_absolute_links_are_led_back_into_the_unpacked_tree(source: Source, tmp_path: Path) -> None:
    found = find_interpreter(RUNNING, NATIVE, CHAIN, source, tmp_path / "cache")
    absolute = Path(found.command[-1]).with_name("python-absolute")
    assert absolute.read_bytes() == b"binary"


def test_another_build_of_a_package_is_unpacked_beside(source: Source, tmp_path: Path) -> None:
    newer = (*CHAIN[:2], deb(CHAIN[2].name, f"{RUNNING}.2-7"))
    commands = {
        find_interpreter(RUNNING, NATIVE, chain, source, tmp_path / "cache").command
        for chain in (CHAIN, newer)
    }
    assert len(commands) == 2


def test_packages_of_another_architecture_leave_it_to_the_running_python(
    source: Source, tmp_path: Path
) -> None:
    found = find_interpreter(RUNNING, FOREIGN, CHAIN, source, tmp_path / "cache")
    assert found.command == (sys.executable,)
    assert source.fetched == []


def test_an_image_without_python_leaves_it_to_the_running_python(
    source: Source, tmp_path: Path
) -> None:
    found = find_interpreter(RUNNING, NATIVE, CHAIN[:1], source, tmp_path / "cache")
    assert found.command == (sys.executable,)


def test_a_python_that_is_nowhere_is_an_error_that_says_how_to_do_without(
    source: Source, tmp_path: Path
) -> None:
    with pytest.raises(AssemblyError, match=r"no Python 3\.4 on this machine") as caught:
        find_interpreter("3.4", NATIVE, CHAIN, source, tmp_path / "cache")
    assert "bytecode = false" in caught.value.hint


def test_unpacking_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(wanted: LockedDeb) -> Path:
        raise AssemblyError("out of reach")

    with pytest.raises(AssemblyError, match="out of reach"):
        find_interpreter(RUNNING, NATIVE, CHAIN, fail, tmp_path / "cache")
    assert not [*(tmp_path / "cache/interpreters").iterdir()]


@pytest.mark.parametrize(
    ("debs", "version"),
    [
        ([deb("python3.11-minimal", "3.11.2-6+deb12u6")], "3.11.2"),
        ([deb("libc6"), deb("python3.11-minimal", "1:3.11.9-1")], "3.11.9"),
        ([deb("python3.12-minimal", "3.12.1-1")], "3.11"),
        ([], "3.11"),
    ],
)
def test_bytecode_is_known_by_the_upstream_version(debs: Sequence[LockedDeb], version: str) -> None:
    assert bytecode_version("3.11", debs) == version
