"""A package's files become a segment of a merged /usr, without documentation."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from orchestrator.engines.assembler.deb.paths import canonical, is_left_out
from orchestrator.errors import ArtifactError, AssemblyError
from orchestrator.oci.segment import SegmentInfo
from orchestrator.oci.tar import END_OF_ARCHIVE
from tests.debs import file, folder, lay_deb, link, make_elf


def paths(info: SegmentInfo) -> set[str]:
    return {entry.path for entry in info.entries if not entry.path.startswith("var/lib/dpkg/")}


def test_paths_and_hard_links_are_those_of_a_merged_usr(tmp_path: Path) -> None:
    members = [
        file("./bin/x", b"x"),
        link("./sbin/y", "./bin/x", hard=True),
        file("./lib/x86_64-linux-gnu/z"),
        link("./lib64/l", "/lib/x86_64-linux-gnu/z"),
    ]
    info, _ = lay_deb(tmp_path, members)
    assert paths(info) == {
        "usr/bin/x",
        "usr/sbin/y",
        "usr/lib/x86_64-linux-gnu/z",
        "usr/lib64/l",
    }
    links = {entry.path: entry.link for entry in info.entries if entry.link}
    assert links == {"usr/sbin/y": "usr/bin/x", "usr/lib64/l": "/lib/x86_64-linux-gnu/z"}


@pytest.mark.parametrize("alias", ["bin", "sbin", "lib", "lib32", "lib64", "libx32"])
def test_no_entry_hides_a_link_of_merged_usr(tmp_path: Path, alias: str) -> None:
    info, _ = lay_deb(tmp_path, [folder(f"./{alias}"), file(f"./{alias}/x")])
    assert all(entry.path.partition("/")[0] != alias for entry in info.entries)


def test_a_shipped_link_of_merged_usr_is_left_to_the_finaliser(tmp_path: Path) -> None:
    info, _ = lay_deb(tmp_path, [link("./bin", "usr/bin"), file("./usr/bin/x")])
    assert paths(info) == {"usr/bin/x"}


def test_a_link_that_merging_usr_turns_onto_itself_is_left_out(tmp_path: Path) -> None:
    members = [file("./bin/x", b"x"), link("./usr/bin/x", "/bin/x"), link("./usr/bin/y", "x")]
    info, _ = lay_deb(tmp_path, members)
    assert [(entry.path, entry.kind) for entry in info.entries][1:] == [
        ("usr/bin/x", "file"),
        ("usr/bin/y", "symlink"),
    ]


def test_two_files_that_merging_usr_brings_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="usr/bin/x"):
        lay_deb(tmp_path, [file("./bin/x", b"1"), file("./usr/bin/x", b"2")])


def test_documentation_is_left_out_and_copyright_kept(tmp_path: Path) -> None:
    members = [
        folder("./usr/share/doc/x"),
        file("./usr/share/doc/x/copyright"),
        file("./usr/share/doc/x/changelog.gz"),
        file("./usr/share/man/man1/x.1.gz"),
        file("./usr/share/locale/de/LC_MESSAGES/x.mo"),
        file("./usr/share/locale/locale.alias"),
        file("./usr/share/lintian/overrides/x"),
        link("./usr/share/doc/y", "x"),
    ]
    info, _ = lay_deb(tmp_path, members)
    assert paths(info) == {
        "usr/share/doc/x/copyright",
        "usr/share/doc/y",
        "usr/share/locale/locale.alias",
    }


def test_documentation_is_known_by_whole_names() -> None:
    assert is_left_out("usr/share/man/man1/x.1")
    assert not is_left_out("usr/share/manpages/x")
    assert not is_left_out("usr/share/docker/x")
    assert not is_left_out("usr/local/share/man/x")


def test_only_the_first_name_of_a_path_is_an_alias() -> None:
    assert canonical("bin") == "usr/bin"
    assert canonical("binary/x") == "binary/x"
    assert canonical("opt/bin/x") == "opt/bin/x"


def test_folders_are_written_when_they_are_empty_or_special(tmp_path: Path) -> None:
    members = [
        folder("./var"),
        folder("./var/empty"),
        folder("./var/full"),
        file("./var/full/x"),
        folder("./var/mail", 0o2775, gid=8),
        file("./var/mail/y"),
    ]
    info, _ = lay_deb(tmp_path, members)
    folders = {entry.path: entry for entry in info.entries if entry.kind == "directory"}
    assert set(folders) == {"var/empty", "var/mail"}
    assert (folders["var/mail"].mode, folders["var/mail"].gid) == (0o2775, 8)


def test_scanners_find_the_control_stanza_and_the_sums_of_present_files(tmp_path: Path) -> None:
    control = {"md5sums": "0" * 32 + "  bin/x\n" + "1" * 32 + "  usr/share/man/man1/x.1\n"}
    _, data = lay_deb(tmp_path, [file("./bin/x", b"x")], control)
    plain = io.BytesIO(gzip.decompress(data) + END_OF_ARCHIVE)
    with tarfile.open(fileobj=plain) as archive:
        status = archive.extractfile("var/lib/dpkg/status.d/sample")
        sums = archive.extractfile("var/lib/dpkg/status.d/sample.md5sums")
        assert status is not None
        assert sums is not None
        text = status.read().decode()
        assert "Package: sample\nStatus: install ok installed\nVersion: 1.0\n" in text
        assert sums.read() == b"0" * 32 + b"  usr/bin/x\n"


def test_files_keep_their_bytes_and_setuid_bits(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    info, _ = lay_deb(tmp_path, [file("./usr/bin/x", data, 0o4755)])
    entry = next(entry for entry in info.entries if entry.path == "usr/bin/x")
    assert (entry.mode, entry.sha256) == (0o4755, hashlib.sha256(data).hexdigest())


def test_the_same_package_gives_the_same_bytes(tmp_path: Path) -> None:
    members = [file("./b", b"2"), file("./a", b"1"), folder("./z"), folder("./y")]
    assert lay_deb(tmp_path, members)[1] == lay_deb(tmp_path, members)[1]


def test_elf_files_are_noted_and_hard_links_to_them_too(tmp_path: Path) -> None:
    members = [
        file("./lib/libx.so.1", make_elf("libx.so.1", ["libc.so.6"])),
        link("./usr/lib/liby.so.1", "./lib/libx.so.1", hard=True),
    ]
    info, _ = lay_deb(tmp_path, members)
    assert [(facts["path"], facts["needed"]) for facts in info.notes["elf"]] == [
        ("usr/lib/libx.so.1", ["libc.so.6"]),
        ("usr/lib/liby.so.1", ["libc.so.6"]),
    ]


def test_an_elf_file_keeps_its_bytes(tmp_path: Path) -> None:
    data = make_elf("libx.so.1") + bytes(1 << 20)
    info, _ = lay_deb(tmp_path, [file("./lib/libx.so.1", data)])
    assert hashlib.sha256(data).hexdigest() in {entry.sha256 for entry in info.entries}


def test_texts_that_the_finaliser_reads_are_noted(tmp_path: Path) -> None:
    members = [
        file("./etc/ld.so.conf.d/x.conf", b"/opt/lib\n"),
        file("./usr/share/ca-certificates/m/x.crt", b"PEM"),
        file("./etc/other.conf", b"x"),
    ]
    info, _ = lay_deb(tmp_path, members)
    assert info.notes["contents"] == {
        "etc/ld.so.conf.d/x.conf": "/opt/lib\n",
        "usr/share/ca-certificates/m/x.crt": "PEM",
    }


def test_the_source_of_a_copy_is_noted(tmp_path: Path) -> None:
    members = [file("./usr/share/readline/inputrc", b"set x\n")]
    info, _ = lay_deb(tmp_path, members, name="readline-common")
    assert info.notes["contents"] == {"usr/share/readline/inputrc": "set x\n"}


def test_a_text_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"etc/ld\.so\.conf"):
        lay_deb(tmp_path, [file("./etc/ld.so.conf", b"\xff\xfe")])


def test_a_script_that_is_not_understood_stops_the_package(tmp_path: Path) -> None:
    with pytest.raises(AssemblyError, match="touch /etc/x"):
        lay_deb(tmp_path, control={"postinst": "#!/bin/sh\ntouch /etc/x\n"})


def test_files_that_need_a_program_to_be_run_stop_the_package(tmp_path: Path) -> None:
    with pytest.raises(AssemblyError, match="glib-compile-schemas"):
        lay_deb(tmp_path, [file("./usr/share/glib-2.0/schemas/x.gschema.xml")])


def test_folders_that_the_script_removes_are_left_out(tmp_path: Path) -> None:
    members = [folder("./var/run"), folder("./var/lock", 0o1777), folder("./var/tmp", 0o1777)]
    info, _ = lay_deb(tmp_path, members, name="base-files")
    assert paths(info) == {"var/tmp"}


def test_a_mode_that_the_script_changes_is_changed(tmp_path: Path) -> None:
    info, _ = lay_deb(tmp_path, [file("./bin/ping", b"x", 0o755)], name="iputils-ping")
    assert {entry.mode for entry in info.entries if entry.path == "usr/bin/ping"} == {0o4755}
