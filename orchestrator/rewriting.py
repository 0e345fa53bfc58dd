"""Files that are changed in place: shown as a diff, written whole or not at all."""

from __future__ import annotations

import difflib
import stat
from dataclasses import dataclass
from pathlib import Path

from orchestrator.atomic import replacing
from orchestrator.errors import WorkspaceError, unreadable

_UNENDED = "\\ No newline at end of file\n"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A file's text before and after; `name` is the path as a person knows it."""

    name: str
    path: Path
    before: str
    after: str

    def diff(self) -> str:
        """Return the change as a unified diff."""
        return unified_diff(self.name, self.before, self.after)

    def write(self) -> None:
        """Write the file, with the mode it has.

        Raises:
            WorkspaceError: It is another one by now, or cannot be read any more.
            OrchError: The disk is full, or the folder cannot be written to.
        """
        if read_source(self.path, self.name) != self.before:
            hint = "run the command again"
            raise WorkspaceError("has changed meanwhile", file=self.name, hint=hint)
        with replacing(self.path, mode=stat.S_IMODE(self.path.stat().st_mode)) as file:
            file.write(self.after.encode())


def read_source(path: Path, name: str) -> str:
    """Return a file's text, its line ends kept.

    Raises:
        WorkspaceError: It is a link, no UTF-8 text, or cannot be read.
    """
    if path.is_symlink():
        hint = "name the file that it leads to"
        raise WorkspaceError("is a link, and is not edited", file=name, hint=hint)
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(error, name) from error


def unified_diff(name: str, before: str, after: str) -> str:
    """Return the change of a file as a unified diff."""
    old, new = (text.splitlines(keepends=True) for text in (before, after))
    found = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n{_UNENDED}" for line in found)
