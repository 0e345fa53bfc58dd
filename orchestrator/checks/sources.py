"""The files of a workspace as rules read them: as text, each once, and none from outside."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from orchestrator.checks.finding import Region
from orchestrator.positions import line_of

_MOST_BYTES = 4_000_000
_NEVER_ENTERED = frozenset({"node_modules", "__pycache__", "venv"})


class Sources:
    """Reads text files below a root, each once; paths are relative to it, with `/`.

    What is missing, too large for a source, no UTF-8 text, or a link that leads out of the
    workspace has no text. `read` are the files that were read, in that order.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real = os.path.realpath(root)
        self._texts: dict[str, str | None] = {}
        self._paths: tuple[str, ...] | None = None

    def text(self, path: str) -> str | None:
        """Return a file's text, or None where it has none."""
        path = os.path.normpath(path)
        if path not in self._texts:
            self._texts[path] = self._read(path)
        return self._texts[path]

    def lines(self, path: str) -> tuple[str, ...]:
        """Return a file's lines without their ends; none where it has no text."""
        return tuple((self.text(path) or "").splitlines())

    @property
    def read(self) -> tuple[str, ...]:
        """Return the files that were read and have a text."""
        return tuple(path for path, text in self._texts.items() if text is not None)

    def paths(self, *endings: str) -> Iterator[str]:
        """Yield the files of the workspace whose names end so, sorted.

        Hidden folders and what tools put there are not entered, nor are links followed.
        """
        if self._paths is None:
            self._paths = tuple(sorted(_walk(str(self.root), "")))
        for path in self._paths:
            if path.endswith(endings):
                yield path

    def region(self, path: str, line: int | None, word: str = "") -> Region | None:
        """Return the place of a word in a line; the whole line where it is not found there."""
        if not line:
            return None
        lines = self.lines(path)
        at = lines[line - 1].find(word) if word and line <= len(lines) else -1
        return Region(line, at + 1, at + 1 + len(word)) if at >= 0 else Region(line)

    def region_of_key(self, path: str, key: tuple[str, ...], word: str = "") -> Region | None:
        """Return the place of a key in a TOML file, or of a word in what follows it.

        The word is looked for from the key's line to the first that begins another table.
        """
        start = line_of(self.text(path) or "", key)
        if not start:
            return None
        for number, text in enumerate(self.lines(path)[start - 1 :], start):
            if word and word in text:
                return self.region(path, number, word)
            if number > start and text.lstrip().startswith("[") and not text.rstrip().endswith(","):
                break
        return Region(start)

    def _read(self, path: str) -> str | None:
        file = self.root / path
        if not f"{os.path.realpath(file)}/".startswith(f"{self._real}/"):
            return None
        try:
            if not file.is_file() or file.stat().st_size > _MOST_BYTES:
                return None
            return file.read_bytes().decode()
        except (OSError, ValueError):
            return None


def _walk(folder: str, below: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _NEVER_ENTERED and not entry.name.startswith("."):
                yield from _walk(entry.path, f"{below}{entry.name}/")
        elif entry.is_file():
            yield below + entry.name
