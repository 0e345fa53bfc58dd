"""A wheel is laid out as an installer leaves it, on the image's interpreter."""

from __future__ import annotations

import csv
import posixpath
import sys
import zipfile
from pathlib import Path

import pytest
from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile

from orchestrator.engines.assembler.bytecode import Compiler, Interpreter
from orchestrator.engines.assembler.wheel.segment import Venv
from orchestrator.errors import ArtifactError
from tests.debs import make_elf
from tests.wheels import SITE, lay_wheel, make_wheel, members_of

INFO = f"{SITE}/sample-1.0.dist-info"
ENTRY_POINTS = "[console_scripts]\nrun = sample.main:go\n[gui_scripts]\nshow = sample:a.b [extra]\n"
FILES = {
    "sample/__init__.py": b"",
    "sample/main.py": b"def go():\n    return 0\n" * 50,
    "sample/data, with comma.txt": b"1,2",
    "sample-1.0.data/purelib/pure.py": b"x = 1\n",
    "sample-1.0.data/platlib/plat.py": b"x = 2\n",
    "sample-1.0.data/scripts/tool": b"#!python\nprint(1)\n",
    "sample-1.0.data/scripts/tool.sh": b"#!/bin/sh\necho\n",
    "sample-1.0.data/scripts/gui": b"#!pythonw\nprint(1)\n",
    "sample-1.0.data/data/share/sample/x.cfg": b"[x]\n",
    "sample-1.0.data/headers/sample.h": b"int x;\n",
}


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_wheel(
        tmp_path,
        files=FILES,
        entry_points=ENTRY_POINTS,
        executable=["sample/main.py", *(path for path in FILES if "scripts" in path)],
        stored=["sample/__init__.py"],
    )


def rows(record: bytes) -> set[tuple[str, ...]]:
    return {tuple(row) for row in csv.reader(record.decode().splitlines())}


def hashes(record: bytes) -> set[tuple[str, str]]:
    return {(posixpath.normpath(row[0]), row[1]) for row in rows(record)}


def installed(wheel: Path, venv: Venv, root: Path) -> dict[str, tuple[bytes, bool]]:
    """Install a wheel with the `installer` library; return contents and executable bits."""
    site = f"/{venv.site_packages}"
    scheme = {
        "purelib": site,
        "platlib": site,
        "scripts": f"/{venv.root}/bin",
        "data": f"/{venv.root}",
        "headers": f"/{venv.root}/include/site/python{venv.python}/sample-1.0.dist-info",
    }
    destination = SchemeDictionaryDestination(
        {key: f"{root}{path}" for key, path in scheme.items()}, venv.interpreter, "posix"
    )
    with WheelFile.open(wheel) as source:
        install(source, destination, {"INSTALLER": b"orch\n"})
    return {
        str(path.relative_to(root)): (path.read_bytes(), bool(path.stat().st_mode & 0o100))
        for path in root.rglob("*")
        if path.is_file()
    }


def test_what_is_laid_out_is_what_installer_installs(wheel: Path, tmp_path: Path) -> None:
    venv = Venv("/opt/venv", "3.11")
    _, segment = lay_wheel(wheel, venv)
    ours = {
        path: (data, bool(info.mode & 0o100)) for path, (info, data) in members_of(segment).items()
    }
    theirs = installed(wheel, venv, tmp_path / "root")
    our_record, their_record = ours.pop(f"{INFO}/RECORD"), theirs.pop(f"{INFO}/RECORD")
    assert ours == theirs
    ends = "sample-1.0.dist-info/RECORD"
    assert hashes(our_record[0]) == hashes(their_record[0])
    assert (ends, "", "") in rows(our_record[0])


def test_record_gives_the_size_and_hash_of_what_is_installed(wheel: Path) -> None:
    _, segment = lay_wheel(wheel)
    members = members_of(segment)
    for path, digest, size in rows(members[f"{INFO}/RECORD"][1]):
        target = f"opt/venv/{path[9:]}" if path.startswith("../../../") else f"{SITE}/{path}"
        assert target in members
        assert path.endswith("/RECORD") or (digest and int(size) == len(members[target][1]))
    assert len(rows(members[f"{INFO}/RECORD"][1])) == len(members)


@pytest.mark.parametrize("stored", [(), ("sample/main.py",)])
def test_deflate_data_lies_in_the_segment_as_it_lies_in_the_wheel(
    tmp_path: Path, stored: tuple[str, ...]
) -> None:
    wheel = make_wheel(tmp_path, files=FILES, stored=stored)
    with zipfile.ZipFile(wheel) as archive:
        member = archive.getinfo("sample/main.py")
    raw = wheel.read_bytes()
    start = member.header_offset + 30 + len(member.filename)
    data = raw[start : start + member.compress_size]
    assert (data in lay_wheel(wheel)[1]) == (not stored)


def test_scripts_get_the_interpreter_of_the_image(wheel: Path) -> None:
    _, segment = lay_wheel(wheel, Venv("/srv/env", "3.12"))
    members = members_of(segment)
    for name in ("run", "show", "tool"):
        info, data = members[f"srv/env/bin/{name}"]
        assert data.startswith(b"#!/srv/env/bin/python\n")
        assert info.mode == 0o755
    assert members["srv/env/bin/tool.sh"][1] == FILES["sample-1.0.data/scripts/tool.sh"]
    assert sys.executable.encode() not in b"".join(data for _, data in members.values())


def test_modes_are_those_of_the_wheel_and_owners_are_root(wheel: Path) -> None:
    _, segment = lay_wheel(wheel)
    modes = {path: info.mode for path, (info, _) in members_of(segment).items()}
    assert modes[f"{SITE}/sample/main.py"] == 0o755
    assert modes[f"{SITE}/sample/__init__.py"] == 0o644
    assert modes[f"{INFO}/RECORD"] == 0o644
    assert {(info.uid, info.gid) for info, _ in members_of(segment).values()} == {(0, 0)}


def test_a_script_is_executable_though_the_wheel_forgot_it(tmp_path: Path) -> None:
    _, segment = lay_wheel(make_wheel(tmp_path, files=FILES))
    assert members_of(segment)["opt/venv/bin/tool"][0].mode == 0o755


@pytest.mark.parametrize("name", ["../evil", "/bin/evil", "..", "a/b"])
def test_a_script_name_that_is_a_path_is_refused(tmp_path: Path, name: str) -> None:
    wheel = make_wheel(tmp_path, entry_points=f"[console_scripts]\n{name} = a:b\n")
    with pytest.raises(ArtifactError, match="is no file name"):
        lay_wheel(wheel)


@pytest.mark.parametrize("text", ["[console_scripts]\nx = no function\n", "no section\n"])
def test_entry_points_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ArtifactError, match=r"entry_points\.txt cannot be read"):
        lay_wheel(make_wheel(tmp_path, entry_points=text))


def test_an_installer_file_of_the_wheel_is_kept_once(tmp_path: Path) -> None:
    name = "sample-1.0.dist-info/INSTALLER"
    _, segment = lay_wheel(make_wheel(tmp_path, files={name: b"theirs\n"}))
    assert members_of(segment)[f"{SITE}/{name}"][1] == b"theirs\n"


@pytest.mark.parametrize("stored", [(), ("sample/x.so",)])
def test_what_an_elf_file_needs_is_noted(tmp_path: Path, stored: tuple[str, ...]) -> None:
    wheel = make_wheel(
        tmp_path, files={"sample/x.so": make_elf(needed=["libz.so.1"])}, stored=stored
    )
    info, _ = lay_wheel(wheel)
    (elf,) = info.notes["elf"]
    assert elf["path"] == f"{SITE}/sample/x.so"
    assert "libz.so.1" in elf["needed"]


def test_bytecode_stands_in_the_segment_and_in_record(wheel: Path) -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    with Compiler(Interpreter((sys.executable,), version)) as compiler:
        _, segment = lay_wheel(wheel, compiler=compiler)
    members = members_of(segment)
    pyc = f"sample/__pycache__/main.cpython-{version.split('.')[0]}{version.split('.')[1]}.pyc"
    assert f"{SITE}/{pyc}" in members
    assert (pyc, "", "") in rows(members[f"{INFO}/RECORD"][1])
    assert f"{SITE}/__pycache__/{Path(pyc).name.replace('main', 'pure')}" in members
    assert not any("bin/__pycache__" in path for path in members)


def test_the_same_wheel_gives_the_same_bytes(wheel: Path) -> None:
    assert lay_wheel(wheel) == lay_wheel(wheel)


def test_nothing_is_written_outside_the_venv(wheel: Path) -> None:
    _, segment = lay_wheel(wheel)
    assert all(path.startswith("opt/venv/") for path in members_of(segment))


def test_a_script_or_bytecode_that_the_wheel_ships_itself_stands_once(tmp_path: Path) -> None:
    pyc = f"sample/__pycache__/a.{sys.implementation.cache_tag}.pyc"
    files = {"sample/a.py": b"x = 1\n", pyc: b"theirs", "sample-1.0.data/scripts/run": b"own"}
    wheel = make_wheel(tmp_path, files=files, entry_points="[console_scripts]\nrun = sample:go\n")
    with Compiler(Interpreter((sys.executable,), sys.version.split()[0])) as compiler:
        info, segment = lay_wheel(wheel, compiler=compiler)
    paths = [entry.path for entry in info.entries]
    assert len(set(paths)) == len(paths)
    assert members_of(segment)["opt/venv/bin/run"][1] == b"own"
    assert members_of(segment)[f"{SITE}/{pyc}"][1] == b"theirs"


def test_two_files_that_are_installed_to_one_path_are_refused(tmp_path: Path) -> None:
    files = {"a.py": b"1", "sample-1.0.data/purelib/a.py": b"2"}
    with pytest.raises(ArtifactError, match="where another file of it is"):
        lay_wheel(make_wheel(tmp_path, files=files))
