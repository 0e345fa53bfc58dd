"""Files that are written where none are: nothing is ever overwritten."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.atomic import replacing
from orchestrator.errors import WorkspaceError


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be written; `path` is from the root of the workspace."""

    path: str
    content: bytes
    is_executable: bool = False

    @property
    def text(self) -> str:
        """Return the content as text; what is none is said to be so."""
        try:
            return self.content.decode("utf-8")
        except UnicodeDecodeError:
            return f"{len(self.content)} bytes that are no text\n"


def new_files(texts: Mapping[str, str]) -> tuple[NewFile, ...]:
    """Return files of texts, by their paths from the root."""
    return tuple(NewFile(path, text.encode()) for path, text in texts.items())


def write_new_files(root: Path, files: Collection[NewFile]) -> None:
    """Write files, or none of them where one is there already.

    Raises:
        WorkspaceError: One is there already.
        OrchError: The disk is full, or a folder cannot be written to.
    """
    for file in files:
        if os.path.lexists(root / file.path):
            hint = "nothing was written: move it away, or choose another name"
            raise WorkspaceError("is there already", file=root / file.path, hint=hint)
    for file in files:
        with replacing(root / file.path, mode=0o755 if file.is_executable else 0o644) as opened:
            opened.write(file.content)
