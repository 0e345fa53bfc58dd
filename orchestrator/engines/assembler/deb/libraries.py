"""The libraries of a chain of segments, and the cache and links that stand for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.engines.assembler.deb.ldcache import (
    Library,
    LibraryFile,
    choose_libraries,
    library_folders,
    real_folder,
    write_cache,
)
from orchestrator.engines.assembler.elf import ElfFile
from orchestrator.engines.assembler.tree import Tree
from orchestrator.model import Platform
from orchestrator.oci.segment import SegmentInfo
from orchestrator.oci.tar import Entry, EntryKind

CACHE = "etc/ld.so.cache"


def library_entries(
    chain: Sequence[SegmentInfo],
    links: Mapping[str, str],
    contents: Mapping[str, str],
    platform: Platform,
) -> list[tuple[Entry, bytes]]:
    """Return `etc/ld.so.cache` and the soname links that ldconfig would make.

    `links` are symbolic links that come on top of the segments', by path; `contents` has the
    texts of `etc/ld.so.conf` and its includes. Nothing where the chain has no such file.

    Raises:
        Nothing: Files of other machines are no libraries of this image.
    """
    if "etc/ld.so.conf" not in contents:
        return []
    tree = Tree.of(chain, links)
    files = _files_by_folder(chain, tree, platform.machine)
    libraries: list[Library] = []
    entries: list[tuple[Entry, bytes]] = []
    for folder in library_folders(contents):
        found = [
            LibraryFile(folder, name, elf, is_link)
            for name, elf, is_link in files.get(real_folder(folder), ())
        ]
        chosen, soname_links = choose_libraries(found)
        libraries += chosen
        entries += [
            (Entry(path, EntryKind.SYMLINK, 0o777, link=target), b"")
            for path, target in sorted(soname_links.items())
            if path not in tree.symlinks and path not in tree.files
        ]
    cache = write_cache(libraries, platform.machine)
    return [*entries, (Entry(CACHE, size_bytes=len(cache)), cache)]


def elf_files(chain: Sequence[SegmentInfo]) -> Iterator[ElfFile]:
    """Yield the ELF files that the segments' makers noted.

    Raises:
        KeyError: A note is none of ours.
    """
    for info in chain:
        for facts in info.notes.get("elf", ()):
            yield ElfFile.from_json(facts)


def _files_by_folder(
    chain: Sequence[SegmentInfo], tree: Tree, machine: str
) -> dict[str, list[tuple[str, ElfFile, bool]]]:
    shared = {
        elf.path: elf
        for elf in elf_files(chain)
        if elf.machine == machine and elf.elf_class == 64 and elf.elf_type == "dyn"
    }
    files: dict[str, list[tuple[str, ElfFile, bool]]] = {}
    for path, elf in shared.items():
        folder, _, name = path.rpartition("/")
        files.setdefault(folder, []).append((name, elf, False))
    for path in tree.symlinks:
        folder, _, name = path.rpartition("/")
        if ".so" in name and (target := shared.get(tree.resolve(path) or "")) is not None:
            files.setdefault(folder, []).append((name, target, True))
    return files
