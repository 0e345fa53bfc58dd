"""Libraries that files need are found as the dynamic linker finds them."""

from __future__ import annotations

from orchestrator.engines.assembler.elf import ElfFile
from orchestrator.engines.assembler.linking import (
    MissingLibrary,
    foreign_files,
    missing_libraries,
)
from orchestrator.engines.assembler.tree import Tree
from tests.debs import segment_of

FOLDERS = ["/usr/local/lib", "/lib/x86_64-linux-gnu"]


def elf(path: str, *needed: str, machine: str = "x86_64", runpath: tuple[str, ...] = ()) -> ElfFile:
    return ElfFile(path, machine, 64, "dyn", needed=needed, runpath=runpath)


def missing(
    file: ElfFile, *paths: str, links: dict[str, str] | None = None, below: tuple[str, ...] = ()
) -> list[str]:
    tree = Tree.of([segment_of(dict.fromkeys(paths))], links)
    found = missing_libraries([file], tree, "x86_64", FOLDERS, preloaded_below=below)
    return [row.library for row in found]


def test_a_library_that_is_nowhere_is_named_with_the_file_that_needs_it() -> None:
    own = [elf("usr/bin/x", "libx.so.1", "liby.so.1")]
    tree = Tree.of([segment_of({"usr/lib/x86_64-linux-gnu/libx.so.1": None})])
    assert missing_libraries(own, tree, "x86_64", FOLDERS) == [
        MissingLibrary("usr/bin/x", "liby.so.1")
    ]


def test_standard_folders_are_searched_through_the_links_of_merged_usr() -> None:
    assert missing(elf("usr/bin/x", "libx.so.1"), "usr/lib/x86_64-linux-gnu/libx.so.1") == []


def test_a_link_counts_when_it_leads_to_a_file() -> None:
    path = "usr/lib/x86_64-linux-gnu/libx.so.1"
    assert missing(elf("a", "libx.so.1"), "opt/libx.so.1.2", links={path: "/opt/libx.so.1.2"}) == []
    assert missing(elf("a", "libx.so.1"), links={path: "/opt/libx.so.1.2"}) == ["libx.so.1"]


def test_the_runpath_is_searched_from_the_files_own_folder() -> None:
    file = elf("opt/venv/pkg/x.so", "libx.so.1", runpath=("$ORIGIN/../pkg.libs",))
    assert missing(file, "opt/venv/pkg.libs/libx.so.1") == []
    assert missing(file, "opt/venv/other/libx.so.1") == ["libx.so.1"]


def test_a_runpath_that_is_relative_is_not_searched() -> None:
    assert missing(elf("a/x.so", "libx.so.1", runpath=("libs",)), "libs/libx.so.1") == ["libx.so.1"]


def test_the_runpath_hides_the_rpath() -> None:
    file = ElfFile(
        "a/x.so", "x86_64", 64, "dyn", needed=("libx.so.1",), rpath=("/one",), runpath=("/two",)
    )
    assert missing(file, "one/libx.so.1") == ["libx.so.1"]


def test_python_code_may_load_a_wheels_library_from_anywhere_in_the_environment() -> None:
    file = elf("opt/venv/lib/pkg/x.so", "libx.so.1")
    path = "opt/venv/lib/other/libs/libx.so.1"
    assert missing(file, path, below=("/opt/venv",)) == []
    assert missing(elf("usr/bin/x", "libx.so.1"), path, below=("/opt/venv",)) == ["libx.so.1"]


def test_libraries_that_may_be_missing_are_given_as_patterns() -> None:
    tree = Tree.of([])
    own = [elf("x", "libcuda.so.1")]
    assert missing_libraries(own, tree, "x86_64", FOLDERS, optional=["libcuda*"]) == []


def test_a_plugin_may_miss_what_its_package_only_recommends() -> None:
    assert missing(elf("usr/lib/x86_64-linux-gnu/tc/q_atm.so", "libatm.so.1")) == []


def test_a_program_needs_its_interpreter() -> None:
    program = ElfFile("usr/bin/x", "x86_64", 64, "dyn", interpreter="/lib/ld-musl-x86_64.so.1")
    assert missing(program) == ["/lib/ld-musl-x86_64.so.1"]
    assert missing(program, "usr/lib/ld-musl-x86_64.so.1") == []


def test_files_of_another_machine_are_named_not_searched() -> None:
    own = [elf("x", "libx.so.1", machine="aarch64"), elf("y", "libc.so.6")]
    assert missing(own[0]) == []
    assert foreign_files(own, "x86_64") == ["x"]


def test_links_between_folders_are_followed() -> None:
    links = {"opt/app": "/srv/app", "srv/app/lib": "lib64"}
    tree = Tree.of([segment_of({"srv/app/lib64/libx.so": None})], links)
    assert tree.resolve("/opt/app/lib/libx.so") == "srv/app/lib64/libx.so"


def test_links_that_go_in_circles_lead_nowhere() -> None:
    tree = Tree.of([], {"a": "b", "b": "a", "c/d": "../c/d/e"})
    assert tree.resolve("a") is None
    assert tree.resolve("c/d/x") is None


def test_a_later_segment_replaces_a_link_by_a_file() -> None:
    tree = Tree.of([segment_of({"a": "b"}), segment_of({"a": None})])
    assert tree.resolve("a") == "a"
