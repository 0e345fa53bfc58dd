"""What an image holds: its layers one above the other, as a container sees them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from orchestrator.checks.secrets import FoundSecret
from orchestrator.engines.assembler.elf import ElfFile
from orchestrator.engines.assembler.tree import Tree
from orchestrator.verify.layers import LayerFacts, LayerFile

_PYTHONS = ("usr/local/bin/python3", "usr/bin/python3")
_DIST_INFO = re.compile(r"(.*/)([^/]+)-([^/-]+)\.dist-info/RECORD")


@dataclass(frozen=True, slots=True)
class InstalledWheel:
    """A Python distribution that an image has: its name as installed, version, and RECORD."""

    name: str
    version: str
    record: str


@dataclass(frozen=True)
class Contents:
    """An image's files by path, without leading slash; `layer_of` says in which layer each lies.

    Layers count from 0, the lowest.
    """

    files: Mapping[str, LayerFile]
    layer_of: Mapping[str, int]
    texts: Mapping[str, str]
    elves: Mapping[str, ElfFile]
    secrets: Mapping[str, tuple[FoundSecret, ...]]
    hidden_bytes: int = 0

    @cached_property
    def tree(self) -> Tree:
        """Return the paths, to follow symbolic links in."""
        files = {p for p, f in self.files.items() if f.kind not in {"directory", "symlink"}}
        links = {path: file.link for path, file in self.files.items() if file.kind == "symlink"}
        return Tree(files, links, merged={})

    @cached_property
    def wheels(self) -> tuple[InstalledWheel, ...]:
        """Return the Python distributions there are, sorted by where they lie."""
        return tuple(
            InstalledWheel(match[2], match[3], path)
            for path in sorted(self.texts)
            if (match := _DIST_INFO.fullmatch(path))
        )

    def find_file(self, path: str) -> LayerFile | None:
        """Return the file that a path leads to, its links followed."""
        found = self.tree.resolve(path)
        return self.files[found] if found else None

    def python(self, venv: str) -> str:
        """Return the path of the interpreter that the image's packages run on, or nothing."""
        for path in (f"{venv.strip('/')}/bin/python", *_PYTHONS):
            if self.find_file(path):
                return f"/{path}"
        return ""

    def below(self, folders: Sequence[str]) -> Iterator[LayerFile]:
        """Yield the files and folders below folders; these end with a slash."""
        yield from (file for path, file in self.files.items() if path.startswith(tuple(folders)))


def stack_layers(layers: Iterable[LayerFacts]) -> Contents:
    """Put layers together, the lowest first.

    Source: OCI image specification, layer.md, "Whiteouts".
    """
    files: dict[str, LayerFile] = {}
    layer_of: dict[str, int] = {}
    texts: dict[str, str] = {}
    elves: dict[str, ElfFile] = {}
    secrets: dict[str, tuple[FoundSecret, ...]] = {}
    hidden_bytes = 0
    for number, layer in enumerate(layers):
        for path in _taken_away(layer, files):
            hidden_bytes += files.pop(path).size_bytes
        for file in layer.files:
            if file.path in files:
                hidden_bytes += files[file.path].size_bytes
            files[file.path] = file
            layer_of[file.path] = number
            for held in (texts, elves, secrets):
                held.pop(file.path, None)
        texts |= layer.texts
        elves |= layer.elves
        secrets |= layer.secrets  # what a layer above takes away can still be read off this one
    here = {path for path, file in files.items() if file.kind == "file"}
    return Contents(
        files,
        layer_of,
        {path: text for path, text in texts.items() if path in here},
        {path: elf for path, elf in elves.items() if path in here},
        secrets,
        hidden_bytes,
    )


def _taken_away(layer: LayerFacts, files: Mapping[str, LayerFile]) -> list[str]:
    if not layer.removed and not layer.emptied:
        return []
    gone, emptied = set(layer.removed), tuple(f"{path}/" for path in layer.emptied)
    folders = tuple(f"{path}/" for path in gone)
    return [path for path in files if path in gone or path.startswith((*folders, *emptied))]
