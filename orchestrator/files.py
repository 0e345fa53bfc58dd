"""The files a recipe copies: which they are, and what they hold."""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from orchestrator.errors import WorkspaceError, unreadable
from orchestrator.model import FileCopy, Image, Workspace
from orchestrator.printable import short
from orchestrator.recipe import SYSTEM_FOLDERS

_START = "from is a path from the recipe's folder, or after // from the root"
_EXCLUDE = "take it away, or name it in exclude of this [[files]]"
_NEVER_COPIED = frozenset({"__pycache__", ".git", ".orch", ".DS_Store"})
_NEVER_COPIED_ENDS = (".pyc", ".pyo")


class Digests(Protocol):
    """What knows the digests of files, from looking at them or from before."""

    def sha256_of(self, path: str, status: os.stat_result) -> str:
        """Return the digest of a regular file's content; `status` is what it is now."""
        ...


class ReadDigests:
    """Digests by reading every file."""

    def sha256_of(self, path: str, status: os.stat_result) -> str:  # noqa: ARG002 - as the others
        """Read the file.

        Raises:
            OSError: It cannot be read.
        """
        with open(path, "rb") as stream:  # noqa: PTH123 - paths are text here, for speed
            return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file or symbolic link on its way into an image.

    `target` is its path in the image without leading slash; `mode` is 0644 or 0755 unless the
    recipe says otherwise; `sha256` is empty for a link, `link` empty for a file. `text` is what a
    file holds in place of what `source` does, where that is not None.
    """

    source: str
    target: str
    mode: int
    size_bytes: int = 0
    sha256: str = ""
    link: str = ""
    owner: str = ""
    text: str | None = None


def read_files(
    workspace: Workspace, image: Image, digests: Digests | None = None
) -> tuple[SourceFile, ...]:
    """Read what an image's `[[files]]` select, in the order of the recipe, sorted within each.

    Only the executable bit of a file's mode counts; owner and times never do. Bytecode, `.git`,
    `.orch` and `.DS_Store` are never copied.

    Raises:
        WorkspaceError: A source is missing, unreadable, special, or a link that leads out of it.
    """
    found: dict[str, SourceFile] = {}
    for copy in image.recipe.files:
        reader = _Reader(workspace, image, copy, digests or ReadDigests())
        for file in reader.read():
            found[file.target] = file
    return tuple(found.values())


def source_path(workspace: Workspace, image: Image, copy: FileCopy) -> Path:
    """Return what `from` names: below the recipe's folder, or after `//` below the root."""
    return Path(source_text(str(workspace.root), str(image.path), copy))


def source_text(root: str, folder: str, copy: FileCopy) -> str:
    """Return what `source_path` does, as text: paths are slow where there are very many."""
    start = root if copy.source.startswith("//") else f"{root}/{folder}"
    return os.path.normpath(f"{start}/{copy.source.lstrip('/')}")


def is_never_copied(name: str) -> bool:
    """Tell whether a file or folder so called is left out whatever a recipe says."""
    return name in _NEVER_COPIED or name.endswith(_NEVER_COPIED_ENDS)


_Excluder = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one `[[files]]` table; paths are text, for there may be very many."""

    workspace: Workspace
    image: Image
    copy: FileCopy
    digests: Digests

    def read(self) -> Iterator[SourceFile]:
        source = source_path(self.workspace, self.image, self.copy)
        self._check_place(source)
        target = posixpath.normpath(f"/{self.copy.target}").strip("/")
        if not source.is_dir():
            name = f"{target}/{source.name}" if self.copy.target.endswith("/") else target
            yield self._read_file(str(source), name.lstrip("/"), source.stat())
            return
        prefix = f"{target}/" if target else ""
        for path, relative, entry in _walk(str(source), "", self._excluder()):
            if not _is_utf8(relative):
                raise self._refused(f"{path!r} has a name that is not UTF-8", "rename it")
            if entry.is_symlink():
                yield self._read_link(str(source), path, prefix + relative)
            else:
                status = entry.stat(follow_symlinks=False)
                yield self._read_file(path, prefix + relative, status)

    def _excluder(self) -> _Excluder:
        try:
            return excluder(self.copy.exclude)
        except ValueError as error:
            hint = "write patterns as in a .gitignore"
            raise self._refused(f"exclude: {short(str(error))}", hint) from error

    def _check_place(self, source: Path) -> None:
        shown = self.copy.source
        if not source.is_relative_to(self.workspace.root):
            raise self._refused(f"{shown} lies outside the workspace", _START)
        if not source.exists():
            raise self._refused(f"{shown} does not exist", _START)
        if not f"{os.path.realpath(source)}/".startswith(f"{_real(self.workspace.root)}/"):
            hint = "let from name what it leads to, moved into the workspace"
            raise self._refused(f"{shown} is a link that leads out of the workspace", hint)

    def _read_file(self, path: str, target: str, status: os.stat_result) -> SourceFile:
        if not stat.S_ISREG(status.st_mode):  # before opening: a pipe would wait for its writer
            raise self._refused(f"{path} is neither a file nor a link", _EXCLUDE)
        try:
            digest = self.digests.sha256_of(path, status)
        except OSError as error:
            raise unreadable(error, path) from error
        self._check_target(target)
        mode = self.copy.mode
        if mode is None:
            mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        return SourceFile(path, target, mode, status.st_size, digest, owner=self.copy.owner)

    def _read_link(self, source: str, path: str, target: str) -> SourceFile:
        link = str(Path(path).readlink())
        leads_to = os.path.normpath(Path(path).parent / link)
        if not _is_utf8(link):
            raise self._refused(f"the link {path} leads to {link!r}, which is not UTF-8", _EXCLUDE)
        if link.startswith("/") or not f"{leads_to}/".startswith(f"{source}/"):
            message = f"the link {path} leads out of {self.copy.source}, to {link}"
            raise self._refused(message, _EXCLUDE)
        if link != f"usr/{target}":
            self._check_target(target)
        return SourceFile(path, target, 0o777, link=link, owner=self.copy.owner)

    def _check_target(self, target: str) -> None:
        if target in SYSTEM_FOLDERS:
            hint = f"""write to = "/{target}/" to put it into the folder"""
            raise self._refused(f"would put a file in the place of the folder /{target}", hint)
        if "/.wh." in f"/{target}":
            message = f"/{target} would take files away: .wh. marks that in layers"
            raise self._refused(message, _EXCLUDE)

    def _refused(self, message: str, hint: str) -> WorkspaceError:
        return WorkspaceError(f"[[files]] {message}", file=str(self.image.file), hint=hint)


@lru_cache(maxsize=8)
def _real(root: Path) -> str:
    return os.path.realpath(root)


def _walk(
    folder: str, below: str, is_excluded: _Excluder
) -> Iterator[tuple[str, str, os.DirEntry[str]]]:
    """Yield path, path below the start, and entry, sorted by name folder by folder."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise unreadable(error, folder) from error
    for entry in entries:
        name = entry.name
        if is_never_copied(name):
            continue
        path = below + name
        if entry.is_dir(follow_symlinks=False):
            if not is_excluded(f"{path}/"):
                yield from _walk(entry.path, f"{path}/", is_excluded)
        elif not is_excluded(path):
            yield entry.path, path, entry


@lru_cache(maxsize=64)
def excluder(patterns: tuple[str, ...]) -> _Excluder:
    """Return what tells whether a path is excluded, by patterns as in a `.gitignore`."""
    if not patterns:
        return lambda _: False
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - only where a recipe excludes files

    return GitIgnoreSpec.from_lines(patterns).match_file


def _is_utf8(name: str) -> bool:
    """Tell whether a name is text; Python reads other bytes of a name as lone surrogates."""
    return name.isascii() or not any("\ud800" <= char <= "\udfff" for char in name)
