"""Which paths of its context a Dockerfile can reach: sources, less what an ignore file names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import WorkspaceError, unreadable
from orchestrator.globbing import compile_pattern
from orchestrator.ignorefile import IgnoreFile, clean, parse_ignore_file
from orchestrator.model import ContextSource, Image, Workspace


@dataclass(frozen=True, slots=True)
class Source:
    """A source as one pattern for each part of the path; without parts it is all there is."""

    parts: tuple[re.Pattern[str], ...]
    asked: ContextSource | None = None
    links: int = field(default=0, compare=False)
    """How many links led to it."""

    def is_or_holds(self, path: tuple[str, ...]) -> bool:
        """Tell whether the path is selected, by itself or as part of a folder."""
        return len(path) >= len(self.parts) and self.leads_to(path)

    def leads_to(self, path: tuple[str, ...]) -> bool:
        """Tell whether the path is selected, or is a folder on the way to what is."""
        pairs = zip(self.parts, path, strict=False)
        return all(pattern.fullmatch(part) for pattern, part in pairs)


@dataclass(frozen=True, slots=True)
class ContextFilter:
    """Which paths below a context an image's build can reach."""

    ignore: IgnoreFile
    ignore_file: Path | None
    sources: tuple[Source, ...]

    def selects(self, path: str) -> bool:
        """Tell whether a path, which need not exist, is part of what the image is made from."""
        parts = tuple(path.split("/"))
        return not self.ignore.ignores(path) and any(
            source.is_or_holds(parts) for source in self.sources
        )


def context_filter(workspace: Workspace, image: Image, *, whole: bool = False) -> ContextFilter:
    """Return what an image's build can reach; `whole` where something else needs all of it.

    `DOCKERFILE.dockerignore` beside the Dockerfile goes before the context's `.dockerignore`.

    Raises:
        WorkspaceError: The ignore file cannot be read, or a pattern is not valid.
    """
    ignore, ignore_file = _read_ignore(workspace, image)
    uses = image.build.uses if image.build else None
    asked = uses.sources if uses else ()
    sources = [_source(workspace, image, item) for item in asked]
    if whole or (uses and uses.whole_context):
        sources.append(Source(()))
    return ContextFilter(ignore, ignore_file, tuple(sources))


def _read_ignore(workspace: Workspace, image: Image) -> tuple[IgnoreFile, Path | None]:
    beside = workspace.root / f"{image.file}.dockerignore"
    for file in (beside, workspace.root / image.path / ".dockerignore"):
        if file.is_file():
            try:
                text = file.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise unreadable(error, file) from error
            return parse_ignore_file(text, str(file)), file
    return IgnoreFile(), None


def _source(workspace: Workspace, image: Image, asked: ContextSource) -> Source:
    cleaned = clean(asked.path)
    if "**" in cleaned:  # with --parents any number of folders, so all below counts
        cleaned = cleaned.partition("**")[0].rpartition("/")[0]
    try:
        parts = [compile_pattern(part) for part in cleaned.split("/") if part]
    except (ValueError, re.error) as error:
        message = f"{asked.path!r} is no path: {error}"
        hint = "patterns are *, ?, [a-z]; a backslash before one of these takes it as it is"
        file = workspace.root / image.file
        raise WorkspaceError(message, file=file, line=asked.line, hint=hint) from error
    return Source(tuple(parts), asked)
