"""The library cache is what ldconfig would write."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path

from orchestrator.engines.assembler.deb.ldcache import (
    Library,
    LibraryFile,
    choose_libraries,
    library_folders,
    write_cache,
)
from orchestrator.engines.assembler.deb.libraries import library_entries
from orchestrator.engines.assembler.elf import read_elf
from orchestrator.model import Platform
from orchestrator.oci.segment import SegmentEntry, SegmentInfo
from tests.conftest import give_up
from tests.debs import make_elf
from tests.real.parts import MissingPartError

LDCONFIG = shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin:/usr/bin")
LIB = "usr/lib/x86_64-linux-gnu"
CONFIGURATION = {
    "etc/ld.so.conf": "include /etc/ld.so.conf.d/*.conf\n\n",
    "etc/ld.so.conf.d/libc.conf": "# libc default configuration\n/usr/local/lib\n",
    "etc/ld.so.conf.d/x86_64-linux-gnu.conf": "/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu\n",
}


def library(name: str, soname: str = "", *, is_link: bool = False) -> LibraryFile:
    elf = read_elf(io.BytesIO(make_elf(soname)), f"usr/lib/{name}")
    assert elf is not None
    return LibraryFile("/lib", name, elf, is_link)


def test_folders_come_in_the_order_of_the_configuration() -> None:
    assert library_folders(CONFIGURATION) == ["/usr/local/lib", "/lib/x86_64-linux-gnu", "/lib"]


def test_a_library_is_known_by_its_soname_and_gets_the_link_it_lacks() -> None:
    chosen, links = choose_libraries([library("libx.so.1.2", "libx.so.1")])
    assert chosen == [Library("libx.so.1", "/lib/libx.so.1")]
    assert links == {"usr/lib/libx.so.1": "libx.so.1.2"}


def test_a_link_that_is_there_is_not_made_again() -> None:
    files = [library("libx.so.1", "libx.so.1", is_link=True), library("libx.so.1", "libx.so.1")]
    assert choose_libraries(files)[1] == {}


def test_of_two_files_of_one_soname_the_newer_name_wins() -> None:
    files = [library("libx.so.1.10", "libx.so.1"), library("libx.so.1.9", "libx.so.1")]
    assert choose_libraries(files)[1] == {"usr/lib/libx.so.1": "libx.so.1.10"}


def test_the_linkers_link_is_listed_by_its_own_name() -> None:
    files = [library("libx.so", "libx.so.1", is_link=True), library("libx.so.1", "libx.so.1")]
    assert {found.soname for found in choose_libraries(files)[0]} == {"libx.so", "libx.so.1"}


def test_what_is_not_named_like_a_library_is_left_out() -> None:
    assert choose_libraries([library("plugin.so"), library("libx.a")]) == ([], {})


def test_the_cache_begins_as_the_format_says_and_ends_with_its_strings() -> None:
    cache = write_cache([Library("libx.so.1", "/lib/libx.so.1")], "x86_64")
    assert cache.startswith(b"glibc-ld.so.cache1.1\x01\0\0\0")
    assert cache.endswith(b"/lib/libx.so.1\0")
    assert len(cache) == 48 + 24 + 15


def test_each_machine_has_its_own_flags() -> None:
    libraries = [Library("libx.so.1", "/lib/libx.so.1")]
    assert write_cache(libraries, "x86_64")[48:52] == b"\x03\x03\0\0"
    assert write_cache(libraries, "aarch64")[48:52] == b"\x03\x0a\0\0"


def test_libraries_of_another_machine_are_left_out() -> None:
    elf = read_elf(io.BytesIO(make_elf("libx.so.1", machine=183)), "usr/lib/libx.so.1")
    assert elf is not None
    info = SegmentInfo([SegmentEntry(elf.path, "file", 0o644)], notes={"elf": [elf.to_json()]})

    def cache(platform: str) -> bytes:
        made = library_entries([info], {}, CONFIGURATION, Platform.parse(platform))
        return made[-1][1]

    assert b"libx.so.1" in cache("linux/arm64")
    assert b"libx.so.1" not in cache("linux/amd64")


def _tree(root: Path) -> SegmentInfo:
    """Make a tree that has each of ldconfig's cases, and the info of a segment that holds it."""
    (root / "usr/lib/x86_64-linux-gnu/sub").mkdir(parents=True)
    (root / "usr/local/lib").mkdir(parents=True)
    (root / "etc/ld.so.conf.d").mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    for path, text in CONFIGURATION.items():
        (root / path).write_text(text)
    info = SegmentInfo(notes={"elf": []})
    libraries = {
        f"{LIB}/libfoo.so.1.9": "libfoo.so.1",
        f"{LIB}/libfoo.so.1.10": "libfoo.so.1",
        f"{LIB}/libbar.so.2.0": "libbar.so.2",
        f"{LIB}/libnosoname.so": "",
        f"{LIB}/libodd.so.3.1": "libodd.so.3",
        f"{LIB}/sub/libhidden.so.1": "libhidden.so.1",
        f"{LIB}/plugin.so": "plugin.so",
        f"{LIB}/libfoo10.so.1": "libfoo10.so.1",
        f"{LIB}/libfoo9.so.1": "libfoo9.so.1",
        f"{LIB}/libfoo-x.so.1": "libfoo-x.so.1",
        "usr/local/lib/libbar.so.2": "libbar.so.2",
        "usr/lib/libtop.so.1": "libtop.so.1",
    }
    for path, soname in libraries.items():
        data = make_elf(soname, ["libc.so.6"])
        (root / path).write_bytes(data)
        elf = read_elf(io.BytesIO(data), path)
        assert elf is not None
        info.entries.append(SegmentEntry(path, "file", 0o644))
        info.notes["elf"].append(elf.to_json())
    links = {
        f"{LIB}/libbar.so.2": "libbar.so.2.0",
        f"{LIB}/libbar.so": "libbar.so.2",
        f"{LIB}/libodd.so.3.0": "libodd.so.3.1",
        f"{LIB}/libdangling.so.1": "nowhere.so.1",
        f"{LIB}/libsub.so.1": "sub/libhidden.so.1",
        f"{LIB}/libabs.so.1": "/lib/libtop.so.1",
    }
    for path, target in links.items():
        (root / path).symlink_to(target)
        info.entries.append(SegmentEntry(path, "symlink", 0o777, link=target))
    return info


def test_ldconfig_agrees_over_the_same_tree(tmp_path: Path) -> None:
    if LDCONFIG is None or os.geteuid() != 0:
        give_up(MissingPartError("ldconfig", "it needs root to look into a tree"))
    info = _tree(tmp_path)
    platform = Platform.parse("linux/amd64")
    made = {
        entry.path: (entry.link, data)
        for entry, data in library_entries([info], {}, CONFIGURATION, platform)
    }
    (tmp_path / "ours.cache").write_bytes(made.pop("etc/ld.so.cache")[1])
    before = {path for path in tmp_path.rglob("*") if path.is_symlink()}
    subprocess.run([LDCONFIG, "-r", str(tmp_path), "-C", "/real.cache"], check=True)
    after = {path for path in tmp_path.rglob("*") if path.is_symlink()}
    created = {str(path.relative_to(tmp_path)): str(path.readlink()) for path in after - before}

    def listed(name: str) -> list[str]:
        command = [LDCONFIG or "", "-p", "-C", str(tmp_path / name)]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [line for line in lines.splitlines() if "=>" in line]

    assert listed("ours.cache") == listed("real.cache")
    assert {path: link for path, (link, _) in made.items()} == created
