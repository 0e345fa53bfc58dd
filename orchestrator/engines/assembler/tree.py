"""The paths of an image put together from segments, and where symbolic links lead."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from orchestrator.oci.segment import SegmentInfo

_MERGED_USR = {
    "bin": "usr/bin",
    "lib": "usr/lib",
    "lib32": "usr/lib32",
    "lib64": "usr/lib64",
    "libx32": "usr/libx32",
    "sbin": "usr/sbin",
}
_MAX_LINKS = 40


class Tree:
    """All files and symbolic links of an image, without what they hold."""

    def __init__(
        self,
        files: set[str],
        symlinks: Mapping[str, str],
        merged: Mapping[str, str] = MappingProxyType(_MERGED_USR),
    ) -> None:
        """Take paths; `merged` are the links of a merged /usr, which an image's layers may have."""
        self.files = files
        self.symlinks = {**merged, **symlinks}
        self._folders: dict[str, str] = {"": ""}

    @classmethod
    def of(cls, chain: Iterable[SegmentInfo], links: Mapping[str, str] | None = None) -> Tree:
        """Return the tree of segments, ancestors first, and of more symbolic links by path.

        Raises:
            Nothing: A path that several segments hold is what the last of them says.
        """
        files: set[str] = set()
        symlinks: dict[str, str] = {}
        for info in chain:
            for entry in info.entries:
                if entry.kind == "symlink":
                    symlinks[entry.path] = entry.link
                    files.discard(entry.path)
                elif entry.kind != "directory":
                    files.add(entry.path)
                    symlinks.pop(entry.path, None)
        return cls(files, {**symlinks, **(links or {})})

    def resolve(self, path: str) -> str | None:
        """Return the file that a path stands for, its links followed; None where there is none.

        Raises:
            Nothing: Links that go in circles lead to no file.
        """
        for _ in range(_MAX_LINKS):
            folder, _, name = path.strip("/").rpartition("/")
            path = posixpath.join(self.real_folder(folder), name)
            target = self.symlinks.get(path)
            if target is None:
                return path if path in self.files else None
            path = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), target))
        return None

    def real_folder(self, folder: str, depth: int = 0) -> str:
        """Return a folder's path with its symbolic links followed; it need not be there.

        Raises:
            Nothing: Links that go in circles lead to where they are.
        """
        folder = posixpath.normpath(folder).strip("/") if folder not in {"", "."} else ""
        known = self._folders.get(folder)
        if known is not None:
            return known
        parent, _, name = folder.rpartition("/")
        real = posixpath.join(self.real_folder(parent, depth), name)
        target = self.symlinks.get(real)
        if target is not None and depth < _MAX_LINKS:
            joined = posixpath.join("/", posixpath.dirname(real), target)
            real = self.real_folder(joined, depth + 1)
        self._folders[folder] = real
        return real
