"""Checks that the dynamic linker would find every library that an image's files need."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType

from orchestrator.engines.assembler.elf import ElfFile
from orchestrator.engines.assembler.tree import Tree

PLUGINS: Mapping[str, str] = MappingProxyType(
    {
        "*/numba/np/ufunc/tbbpool.*.so": "one of three thread pools; used where tbb is",
        "usr/lib/*/caca/libgl_plugin.so*": "draws through OpenGL; its libraries are recommended",
        "usr/lib/*/tc/q_atm.so": "speaks ATM; its library is suggested",
    }
)
"""Files, and why, whose package works without the libraries they need."""

_DEBIAN_PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "libGL.so.1": "libgl1",
        "libSM.so.6": "libsm6",
        "libX11.so.6": "libx11-6",
        "libXext.so.6": "libxext6",
        "libXrender.so.1": "libxrender1",
        "libasound.so.2": "libasound2",
        "libglib-2.0.so.0": "libglib2.0-0",
        "libgobject-2.0.so.0": "libglib2.0-0",
        "libgomp.so.1": "libgomp1",
        "libgthread-2.0.so.0": "libglib2.0-0",
        "libpq.so.5": "libpq5",
        "libportaudio.so.2": "libportaudio2",
        "libsndfile.so.1": "libsndfile1",
        "libstdc++.so.6": "libstdc++6",
    }
)

_LIB = {"x86_64": "lib/x86_64-linux-gnu", "aarch64": "lib/aarch64-linux-gnu"}


@dataclass(frozen=True, slots=True, order=True)
class MissingLibrary:
    """A file of an image, and a library it needs that the image lacks."""

    path: str
    library: str


def missing_libraries(
    own: Iterable[ElfFile],
    tree: Tree,
    machine: str,
    library_folders: Sequence[str],
    *,
    preloaded_below: Sequence[str] = (),
    optional: Collection[str] = (),
) -> list[MissingLibrary]:
    """Return the libraries and interpreters that the files need and the image lacks, sorted.

    `tree` is the whole image, its finaliser's links included; `library_folders` those of
    `etc/ld.so.conf`. Searched are a file's rpath or runpath, then these folders. In
    `preloaded_below` (a virtual environment), a library counts wherever it lies, for Python
    code may load it by path before; names are looked up below the same entry only. `optional`
    are names of libraries, or patterns, that may be missing. Files of other machines are left
    to `foreign_files`; those of `PLUGINS` pass.

    Source: ld.so(8), "DESCRIPTION" and "Dynamic string tokens".

    Raises:
        Nothing: A library folder that is not there holds no libraries.
    """
    delivered = [
        (folder.strip("/") + "/", _names_below(tree, folder)) for folder in preloaded_below
    ]
    standard = _Folders(tree, library_folders)
    missing = set()
    for elf in own:
        if elf.machine != machine or _is_plugin(elf):
            continue
        if elf.interpreter and tree.resolve(elf.interpreter) is None:
            missing.add(MissingLibrary(elf.path, elf.interpreter))
        names = [known for folder, known in delivered if elf.path.startswith(folder)]
        named = _Folders(tree, _search_path(elf))
        for library in elf.needed:
            found = named.hold(library) or standard.hold(library)
            if not found and not any(library in known for known in names):
                missing.add(MissingLibrary(elf.path, library))
    return sorted(
        row for row in missing if not any(fnmatchcase(row.library, pattern) for pattern in optional)
    )


def packages_with(libraries: Iterable[str]) -> list[str]:
    """Return the Debian packages that are known to have some of these libraries, sorted."""
    return sorted({_DEBIAN_PACKAGES[name] for name in libraries if name in _DEBIAN_PACKAGES})


def foreign_files(own: Iterable[ElfFile], machine: str) -> list[str]:
    """Return the paths of files to be linked dynamically on another machine, sorted.

    Raises:
        Nothing: Object files and static programs, which are often data, do not count.
    """
    return sorted(
        elf.path
        for elf in own
        if elf.machine != machine and elf.elf_type in {"dyn", "exec"} and elf.needed
    )


def _is_plugin(elf: ElfFile) -> bool:
    return any(fnmatchcase(elf.path, pattern) for pattern in PLUGINS)


class _Folders:
    """A list of library folders, with what was asked of it remembered."""

    def __init__(self, tree: Tree, folders: Iterable[str]) -> None:
        self._tree = tree
        self._folders = list(folders)
        self._known: dict[str, bool] = {}

    def hold(self, library: str) -> bool:
        found = self._known.get(library)
        if found is None:
            # A name with a slash is a path: ld.so searches no folder for it, nor does join.
            folders = ["/"] if "/" in library else self._folders
            paths = (posixpath.join(folder, library) for folder in folders)
            found = any(self._tree.resolve(path) is not None for path in paths)
            self._known[library] = found
        return found


def _search_path(elf: ElfFile) -> list[str]:
    """Return the absolute folders of a file's runpath, or of its rpath where it has none."""
    origin = "/" + posixpath.dirname(elf.path)
    folders = []
    for part in elf.runpath or elf.rpath:
        folder = part.replace("${", "$").replace("}", "")
        folder = folder.replace("$ORIGIN", origin).replace("$PLATFORM", elf.machine)
        folder = folder.replace("$LIB", _LIB.get(elf.machine, "lib"))
        if folder.startswith("/"):
            folders.append(posixpath.normpath(folder))
    return folders


def _names_below(tree: Tree, folder: str) -> set[str]:
    prefix = folder.strip("/") + "/"
    paths = [*tree.files, *tree.symlinks]
    return {posixpath.basename(path) for path in paths if path.startswith(prefix)}
