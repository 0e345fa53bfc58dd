"""What images hold is read off their layers, and what belongs to which package."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from orchestrator.errors import AssemblyError
from orchestrator.verify.components import Origin, components_of
from orchestrator.verify.layers import LayerReader, read_layer
from tests.debs import file, folder, link, make_elf, special
from tests.trials import contents_of

KEY = b"-----BEGIN PRIVATE KEY" + b"-----\nMIIEpAIBAAKCAQEA7bq9\n"
RECORD = b"alpha/__init__.py,sha256=x,1\n../../../bin/alpha,,\nalpha-1.0.dist-info/RECORD,,\n"
SITE = "opt/venv/lib/python3.11/site-packages"


def test_what_a_layer_above_takes_away_is_gone(tmp_path: Path) -> None:
    below = [folder("a"), file("a/x", b"1"), file("a/y", b"22"), file("b", b"333")]
    contents = contents_of(tmp_path, below, [file("a/.wh.x"), file(".wh.b")])
    assert set(contents.files) == {"a", "a/y"}
    assert contents.hidden_bytes == 4


def test_an_opaque_folder_keeps_what_its_own_layer_brings(tmp_path: Path) -> None:
    below = [folder("a"), file("a/x", b"1")]
    contents = contents_of(tmp_path, below, [file("a/.wh..wh..opq"), file("a/new", b"2")])
    assert set(contents.files) == {"a", "a/new"}


def test_a_file_that_is_replaced_counts_as_hidden(tmp_path: Path) -> None:
    contents = contents_of(tmp_path, [file("a", b"1234")], [file("a", b"1")])
    assert (contents.files["a"].size_bytes, contents.hidden_bytes) == (1, 4)
    assert contents.layer_of["a"] == 1


def test_kinds_and_modes_are_told(tmp_path: Path) -> None:
    members = [special("dev", tarfile.CHRTYPE), link("l", "t"), file("s", mode=0o4755)]
    files = contents_of(tmp_path, members).files
    assert {path: (f.kind, f.mode) for path, f in files.items() if path != "l"} == {
        "dev": ("device", 0o644),
        "s": ("file", 0o4755),
    }
    assert files["l"].link == "t"


def test_a_link_of_a_merged_usr_counts_only_where_the_image_has_it(tmp_path: Path) -> None:
    split = contents_of(tmp_path, [file("lib/a.so", b"x")])
    assert split.find_file("lib/a.so") is not None
    merged = contents_of(tmp_path, [link("lib", "usr/lib"), file("usr/lib/a.so", b"x")])
    assert merged.find_file("lib/a.so") is not None


def test_elf_files_are_read(tmp_path: Path) -> None:
    contents = contents_of(tmp_path, [file("x.so", make_elf(needed=["libc.so.6"]))])
    assert contents.elves["x.so"].needed == ("libc.so.6",)


def test_secrets_are_looked_for_outside_of_packages_alone(tmp_path: Path) -> None:
    places = ("app/key.pem", f"{SITE}/x/key.pem", "usr/share/doc/key.pem", "usr/src/app/key.pem")
    contents = contents_of(tmp_path, [file(place, KEY) for place in places])
    assert set(contents.secrets) == {"app/key.pem", "usr/src/app/key.pem"}


def test_a_secret_in_a_layer_below_is_found_though_it_was_taken_away(tmp_path: Path) -> None:
    contents = contents_of(tmp_path, [file("app/key.pem", KEY)], [file("app/.wh.key.pem")])
    assert set(contents.secrets) == {"app/key.pem"}


def test_files_belong_to_packages_wheels_fetches_or_nobody(tmp_path: Path) -> None:
    sums = b"d41d8cd98f00b204e9800998ecf8427e  lib/libc.so.6\n"
    contents = contents_of(
        tmp_path,
        [
            link("lib", "usr/lib"),
            file("usr/lib/libc.so.6", b"1" * 50),
            file("var/lib/dpkg/status.d/libc6.md5sums", sums),
            file(f"{SITE}/alpha/__init__.py", b"1" * 9),
            file(f"{SITE}/alpha/__pycache__/__init__.cpython-311.pyc", b"1" * 20),
            file(f"{SITE}/alpha-1.0.dist-info/RECORD", RECORD),
            file("opt/venv/bin/alpha", b"1" * 5),
            file("models/big.bin", b"1" * 400),
            file("app/forgotten.iso", b"1" * 300),
        ],
    )
    found = {(c.origin, c.name): c.size_bytes for c in components_of(contents, ["/models/big.bin"])}
    assert found == {
        (Origin.FETCHED, "/models/big.bin"): 400,
        (Origin.FILE, "/app/forgotten.iso"): 300,
        (Origin.DEBIAN, "libc6"): 50 + len(sums),
        (Origin.PYTHON, "alpha 1.0"): 34 + len(RECORD),
    }
    assert [c.size_bytes for c in components_of(contents)] == sorted(found.values(), reverse=True)


def test_files_of_an_ordinary_debian_image_belong_to_its_packages(tmp_path: Path) -> None:
    listed = file("var/lib/dpkg/info/bash:amd64.list", b"/.\n/bin\n/bin/bash\n")
    contents = contents_of(tmp_path, [link("bin", "usr/bin"), file("usr/bin/bash", b"x"), listed])
    assert {c.name for c in components_of(contents)} == {"bash"}


def test_a_damaged_layer_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(AssemblyError, match="cannot be read") as caught:
        read_layer(tmp_path / "blob")
    assert "--force" in caught.value.hint


def test_a_layer_is_read_once_however_many_images_have_it(tmp_path: Path) -> None:
    contents_of(tmp_path, [file("a")])
    asked: list[str] = []

    def find(digest: str) -> Path:
        asked.append(digest)
        return tmp_path / "0.tar.gz"

    reader = LayerReader(find)
    assert reader.read("sha256:a") is reader.read("sha256:a")
    assert asked == ["sha256:a"]
