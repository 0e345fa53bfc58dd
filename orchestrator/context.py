"""The build context of a Dockerfile: files that its instructions can reach, with their digests."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from orchestrator.contextfilter import ContextFilter, Source, context_filter
from orchestrator.errors import WorkspaceError, unreadable
from orchestrator.files import Digests, ReadDigests, SourceFile
from orchestrator.ignorefile import clean, has_wildcards
from orchestrator.model import (
    ContextSource,
    DockerfileBuild,
    Image,
    ImageSettings,
    Uses,
    Workspace,
)


def read_context(
    workspace: Workspace, image: Image, digests: Digests | None = None, *, whole: bool = False
) -> tuple[SourceFile, ...]:
    """Read the files that an image's build can reach, sorted; targets are paths in the context.

    Of a mode only the executable bit counts; a link counts by its target's text. A folder counts
    where nothing is in it. The ignore file itself and orch's own `.orch` do not count.

    Raises:
        WorkspaceError: A source is missing, a link leads out of the context, or a file cannot be
            read.
    """
    chosen = context_filter(workspace, image, whole=whole)
    return _Reader(workspace, image, chosen, digests or ReadDigests()).read()


def read_named_contexts(
    workspace: Workspace, image: Image, digests: Digests | None = None
) -> dict[str, tuple[SourceFile, ...]]:
    """Read the folders that an image's build has as named contexts, by name: all that is in them.

    Raises:
        WorkspaceError: A folder is missing or outside the workspace, or a file cannot be read.
    """
    contexts = image.build.settings.options.contexts if image.build else {}
    return {
        name: _read_named(workspace, image, name, place, digests)
        for name, place in contexts.items()
        if is_folder(place)
    }


def is_folder(place: str) -> bool:
    """Tell whether a named context is a folder, not an address."""
    return "://" not in place and not place.startswith("git@")


def _read_named(
    workspace: Workspace, image: Image, name: str, place: str, digests: Digests | None
) -> tuple[SourceFile, ...]:
    folder = Path(os.path.normpath(workspace.root / place))
    if not folder.is_relative_to(workspace.root) or not folder.is_dir():
        raise WorkspaceError(
            f"the context {name!r} of {image.name} is {place!r}, no folder of the workspace",
            file=workspace.settings.file,
            hint="write it from the workspace's root, or an address such as docker-image://NAME",
        )
    path = PurePosixPath(folder.relative_to(workspace.root).as_posix())
    build = DockerfileBuild(ImageSettings(), Uses(whole_context="it is a named context"), "")
    apart = replace(image, path=path, file=path / ".dockerignore", build=build)
    return read_context(workspace, apart, digests, whole=True)


_LINKS_FOLLOWED = 40


@dataclass(slots=True)
class _Reader:
    workspace: Workspace
    image: Image
    chosen: ContextFilter
    digests: Digests
    sources: list[Source] = field(default_factory=list)
    followed: set[tuple[Source, str]] = field(default_factory=set)
    found: dict[str, SourceFile] = field(default_factory=dict)
    met: set[ContextSource] = field(default_factory=set)

    @property
    def root(self) -> str:
        return str(self.workspace.root / self.image.path)

    def read(self) -> tuple[SourceFile, ...]:
        pending = list(self.chosen.sources)
        while pending:
            self.sources = pending
            pending = []
            for source in self.sources:
                if not source.parts and source.asked:
                    self.met.add(source.asked)
            self._walk(self.root, (), pending)
        self._check_met()
        return tuple(self.found[path] for path in sorted(self.found))

    def _walk(self, folder: str, above: tuple[str, ...], follow: list[Source]) -> bool:
        """Keep what is selected below a folder, and note the links that sources lead through.

        Returns whether anything was kept.
        """
        kept = False
        for entry in _entries(folder):
            path = (*above, entry.name)
            text = "/".join(path)
            ignored = self.chosen.ignore.ignores(text)
            if ignored and not (self.chosen.ignore.takes_back and _is_folder(entry)):
                continue
            if not self._is_counted(entry.path) or not self._leads_to(path):
                continue
            if _is_folder(entry):
                below = self._walk(entry.path, path, follow)
                empty = not below and not ignored and self._meet(path)
                file = SourceFile(entry.path, f"{text}/", 0o755, sha256="folder") if empty else None
            elif entry.is_symlink():
                below, led = False, list(self._follow(entry, path))
                follow += led
                counted = self._meet(path, itself=False) or led
                file = self._link(entry, text) if counted else None
            else:
                below, file = False, self._file(entry, text) if self._meet(path) else None
            if file:
                self.found[file.target] = file
            kept = kept or below or file is not None
        return kept

    def _leads_to(self, path: tuple[str, ...]) -> bool:
        return any(source.leads_to(path) for source in self.sources)

    def _is_counted(self, path: str) -> bool:
        never = (str(self.chosen.ignore_file), str(self.workspace.root / ".orch"))
        return path not in never

    def _meet(self, path: tuple[str, ...], *, itself: bool = True) -> bool:
        """Note the sources that select a path; tell whether there are any.

        Without `itself` only as part of a folder: a source that is a link is met by what it
        leads to.
        """
        least = len(path) if itself else len(path) - 1
        met = [one for one in self.sources if len(one.parts) <= least and one.leads_to(path)]
        self.met |= {source.asked for source in met if source.asked}
        return bool(met)

    def _follow(self, entry: os.DirEntry[str], path: tuple[str, ...]) -> Iterator[Source]:
        """Yield, for the sources that lead through a link, where they lead to."""
        for source in self.sources:
            if len(source.parts) < len(path) or not source.leads_to(path):
                continue
            key = (source, entry.path)
            if key in self.followed or source.links >= _LINKS_FOLLOWED:
                continue
            self.followed.add(key)
            leads_to = os.path.normpath(Path(entry.path).parent / Path(entry.path).readlink())
            below = os.path.relpath(leads_to, self.root)
            parts = [re.compile(re.escape(part)) for part in clean(below).split("/") if part]
            rest = source.parts[len(path) :]
            yield Source((*parts, *rest), source.asked, source.links + 1)

    def _link(self, entry: os.DirEntry[str], path: str) -> SourceFile:
        link = str(Path(entry.path).readlink())
        leads_to = os.path.normpath(Path(entry.path).parent / link)
        if link.startswith("/") or not f"{leads_to}/".startswith(f"{self.root}/"):
            raise self._refused(
                f"the link {path} leads out of the context, to {link}",
                "copy the file, or exclude the link in .dockerignore",
            )
        return SourceFile(entry.path, _text(path), 0o777, link=_text(link))

    def _file(self, entry: os.DirEntry[str], path: str) -> SourceFile | None:
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISSOCK(status.st_mode):  # builders leave sockets out
            return None
        if not stat.S_ISREG(status.st_mode):
            hint = "take it out of the context, or name it in .dockerignore"
            raise self._refused(f"{path} is neither a file nor a link", hint)
        try:
            digest = self.digests.sha256_of(entry.path, status)
        except OSError as error:
            raise unreadable(error, entry.path) from error
        mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        return SourceFile(entry.path, _text(path), mode, status.st_size, digest)

    def _check_met(self) -> None:
        for source in self.chosen.sources:
            asked = source.asked
            if asked and asked not in self.met and not has_wildcards(asked.path):
                by_ignore = self.chosen.ignore.ignores(clean(asked.path))
                why = "is excluded by .dockerignore" if by_ignore else "is not in the context"
                if Path(self.root, clean(asked.path)).is_symlink() and not by_ignore:
                    why = "is a link that leads to nothing of the context"
                hint = f"paths start at the context, {self.image.path}: correct this one"
                if by_ignore:
                    hint = f"take it back in with !{clean(asked.path)} there"
                raise self._refused(f"{asked.path} {why}", hint, asked.line)

    def _refused(self, message: str, hint: str, line: int | None = None) -> WorkspaceError:
        file = self.workspace.root / self.image.file
        return WorkspaceError(message, file=file, line=line, hint=hint)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise unreadable(error, folder) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _text(name: str) -> str:
    """Return a name as text that can be written; bytes that are no UTF-8 are spelled out."""
    return name.encode("utf-8", "backslashreplace").decode()
