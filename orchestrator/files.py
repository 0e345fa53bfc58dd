"""The files a recipe copies: which they are, and what they hold."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.errors import WorkspaceError
from orchestrator.model import FileCopy, Image, Workspace

_NEVER_COPIED = ("__pycache__/", "*.py[co]", ".git/", ".DS_Store")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file or symbolic link on its way into an image.

    `target` is its path in the image without leading slash; `mode` is 0644 or 0755 unless the
    recipe says otherwise; `sha256` is empty for a link, `link` empty for a file.
    """

    source: Path
    target: str
    mode: int
    size_bytes: int = 0
    sha256: str = ""
    link: str = ""
    owner: str = ""


def read_files(workspace: Workspace, image: Image) -> tuple[SourceFile, ...]:
    """Read what an image's `[[files]]` select, in the order of the recipe, sorted within each.

    Only the executable bit of a file's mode counts; owner and times never do.

    Raises:
        WorkspaceError: A source is missing, unreadable, special, or a link that leads out of it.
    """
    found: dict[str, SourceFile] = {}
    for copy in image.recipe.files:
        for file in _read_copy(workspace, image, copy):
            found[file.target] = file
    return tuple(found.values())


def _read_copy(workspace: Workspace, image: Image, copy: FileCopy) -> Iterator[SourceFile]:
    source = source_path(workspace, image, copy)
    if not source.is_relative_to(workspace.root):
        raise _refused(image, f"{copy.source} lies outside the workspace")
    if not source.exists():
        raise _refused(image, f"{copy.source} does not exist")
    if not source.resolve().is_relative_to(workspace.root.resolve()):
        raise _refused(image, f"{copy.source} is a link that leads out of the workspace")
    target = PurePosixPath(copy.target.strip("/"))
    if not source.is_dir():
        name = target / source.name if copy.target.endswith("/") else target
        yield _read_file(image, source, str(name), copy)
        return
    matches = _exclusion(copy.exclude)
    for file in _walk(source, PurePosixPath(), matches):
        name = target / file.relative_to(source).as_posix()
        if not _is_utf8(file.name):
            raise _refused(image, f"{str(file)!r} has a name that is not UTF-8")
        if file.is_symlink():
            yield _read_link(image, source, file, str(name), copy)
        else:
            yield _read_file(image, file, str(name), copy)


def source_path(workspace: Workspace, image: Image, copy: FileCopy) -> Path:
    """Return what `from` names: below the recipe's folder, or after `//` below the root."""
    start = workspace.root if copy.source.startswith("//") else workspace.root / image.path
    return Path(os.path.normpath(start / copy.source.lstrip("/")))


def _walk(folder: Path, below: PurePosixPath, excluded: _Matcher) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise WorkspaceError(f"cannot be read: {error.strerror}", file=folder) from error
    for entry in entries:
        path = below / entry.name
        if entry.is_dir(follow_symlinks=False):
            if not excluded(f"{path}/"):
                yield from _walk(Path(entry.path), path, excluded)
        elif not excluded(str(path)):
            yield Path(entry.path)


class _Matcher:
    def __init__(self, patterns: tuple[str, ...]) -> None:
        from pathspec import GitIgnoreSpec  # noqa: PLC0415 - only where folders are copied

        self._spec = GitIgnoreSpec.from_lines(patterns)

    def __call__(self, path: str) -> bool:
        return self._spec.match_file(path)


def _exclusion(patterns: tuple[str, ...]) -> _Matcher:
    return _Matcher((*_NEVER_COPIED, *patterns))


def _read_file(image: Image, file: Path, target: str, copy: FileCopy) -> SourceFile:
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):  # before opening: a pipe would wait for its writer
            raise _refused(image, f"{file} is neither a file nor a link")
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size_bytes = stream.tell()
    except OSError as error:
        raise WorkspaceError(f"cannot be read: {error.strerror}", file=file) from error
    mode = copy.mode
    if mode is None:
        mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
    return SourceFile(file, target, mode, size_bytes, digest, owner=copy.owner)


def _read_link(image: Image, source: Path, file: Path, target: str, copy: FileCopy) -> SourceFile:
    link = str(file.readlink())
    leads_to = Path(os.path.normpath(file.parent / link))
    if not _is_utf8(link):
        raise _refused(image, f"the link {file} leads to {link!r}, which is not UTF-8")
    if link.startswith("/") or not leads_to.is_relative_to(source):
        raise _refused(image, f"the link {file} leads out of {copy.source}, to {link}")
    return SourceFile(file, target, 0o777, link=link, owner=copy.owner)


def _is_utf8(name: str) -> bool:
    """Tell whether a name is text; Python reads other bytes of a name as lone surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in name)


def _refused(image: Image, message: str) -> WorkspaceError:
    return WorkspaceError(f"[[files]] {message}", file=str(image.file))
