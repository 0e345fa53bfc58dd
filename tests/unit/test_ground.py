"""What Python packages stand on, found in the layers of images that were not assembled."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from orchestrator.engines.assembler.ground import Ground, read_ground
from orchestrator.errors import AssemblyError
from orchestrator.resolve.python.offered import Target
from tests.helpers import AMD64

TARGET = Target(AMD64, "3.11", (2, 28))
LIBC = "usr/lib/x86_64-linux-gnu/libc.so.6"


def write_layer(file: Path, members: dict[str, str]) -> Path:
    """Write a layer; what begins with `->` is a link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, text in members.items():
            info = tarfile.TarInfo(path)
            if text.startswith("->"):
                info.type, info.linkname = tarfile.SYMTYPE, text[2:]
                archive.addfile(info)
            else:
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text.encode()))
    file.write_bytes(gzip.compress(out.getvalue()))
    return file


def ground_of(tmp_path: Path, *layers: dict[str, str]) -> Ground:
    files = [write_layer(tmp_path / f"{number}", members) for number, members in enumerate(layers)]
    return read_ground(files)


def home(ground: Ground) -> str:
    return ground.home_of(TARGET, "services/api/image.toml", "tools")


def test_an_interpreter_is_found_where_it_is(tmp_path: Path) -> None:
    assert home(ground_of(tmp_path, {"usr/local/bin/python3.11": ""})) == "/usr/local/bin"
    both = {"usr/local/bin/python3.11": "", "usr/bin/python3.11": ""}
    assert home(ground_of(tmp_path, both)) == "/usr/bin"
    assert home(ground_of(tmp_path, {"bin/python3.11": "->x"})) == "/usr/bin"


def test_another_python_is_refused_and_what_is_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssemblyError, match=r"tools has only /usr/bin/python3\.12") as caught:
        home(ground_of(tmp_path, {"usr/bin/python3.12": ""}))
    assert str(caught.value.file) == "services/api/image.toml"
    with pytest.raises(AssemblyError, match="tools has no Python"):
        home(ground_of(tmp_path, {"usr/bin/python3": "", "usr/share/python3.11": ""}))


@pytest.mark.parametrize("gone", ["usr/bin/.wh.python3.11", "usr/.wh.bin", "usr/bin/.wh..wh..opq"])
def test_what_a_later_layer_takes_away_is_gone(tmp_path: Path, gone: str) -> None:
    with pytest.raises(AssemblyError, match="no Python"):
        home(ground_of(tmp_path, {"usr/bin/python3.11": ""}, {gone: ""}))


def test_an_opaque_folder_keeps_what_its_own_layer_puts_there(tmp_path: Path) -> None:
    above = {"usr/bin/python3.11": "", "usr/bin/.wh..wh..opq": ""}
    ground = ground_of(tmp_path, {"usr/bin/python3.12": ""}, above)
    assert ground.pythons == (("3.11", "/usr/bin"),)


@pytest.mark.parametrize(
    "libc",
    [
        {LIBC: "GNU C Library (x) stable release version 2.24.\n"},
        {"lib/x86_64-linux-gnu/libc.so.6": "->libc-2.24.so"},
    ],
)
def test_a_c_library_that_is_too_old_is_refused(tmp_path: Path, libc: dict[str, str]) -> None:
    ground = ground_of(tmp_path, {"usr/bin/python3.11": "", **libc})
    assert ground.glibc == (2, 24)
    with pytest.raises(AssemblyError, match=r"locked for glibc 2\.28, and tools has 2\.24"):
        home(ground)


def test_musl_is_refused(tmp_path: Path) -> None:
    ground = ground_of(tmp_path, {"usr/bin/python3.11": "", "lib/ld-musl-x86_64.so.1": ""})
    with pytest.raises(AssemblyError, match="tools has musl"):
        home(ground)


def test_a_layer_that_is_not_here_is_told(tmp_path: Path) -> None:
    with pytest.raises(AssemblyError, match="cannot be read"):
        read_ground([tmp_path / "nowhere"])
