"""The shared levels: places beyond this machine's cache that give files by their sha256.

A level is asked by content, and what it gives is believed only when its bytes have that sha256.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from orchestrator import logs
from orchestrator.errors import ExitCode, OrchError


class LevelError(OrchError):
    """A level is out of reach, or refuses; its message begins with the level's name."""

    exit_code = ExitCode.MISSING_TOOL


class RefusedFileError(LevelError):
    """A level refuses one file; others it may still give."""


class Sink(Protocol):
    """What a level writes a file to, from its beginning, in pieces."""

    def write(self, data: bytes, /) -> object:
        """Take the next piece."""
        ...


class Level(Protocol):
    """A place that keeps files by their sha256; several threads may use one."""

    @property
    def name(self) -> str:
        """Return what people call it, as the settings do: `s3://BUCKET/PREFIX` or a folder."""
        ...

    @property
    def is_local(self) -> bool:
        """Tell whether it is reached without a network."""
        ...

    def fetch(self, sha256: str, into: Sink) -> bool:
        """Write a file piece by piece; give False, having written nothing, if it is not there.

        Raises:
            LevelError: The level is out of reach or refuses.
        """
        ...

    def sizes(self, sha256s: Collection[str]) -> Mapping[str, int]:
        """Return the sizes, in bytes, of those files that are there.

        Raises:
            LevelError: The level is out of reach or refuses.
        """
        ...

    def put(self, sha256: str, file: Path, name: str) -> None:
        """Keep a file, whole or not at all; `name` tells people what it is.

        Raises:
            LevelError: The level is out of reach or refuses.
        """
        ...


class Levels:
    """The levels of one run, in the order in which they are asked.

    One that is out of reach is asked no more. What went wrong, once a level or an altered file,
    is in `warnings`. Safe for several threads.
    """

    def __init__(self, levels: Sequence[Level] = ()) -> None:
        self._levels = tuple(levels)
        self._problems: dict[str, LevelError] = {}
        self._given_up: set[str] = set()
        self._lock = threading.Lock()
        self._altered: list[str] = []

    @property
    def warnings(self) -> list[str]:
        """Return what a person should know, a line each."""
        with self._lock:
            return [*self._altered, *(problem.in_a_line for problem in self._problems.values())]

    @property
    def problems(self) -> list[str]:
        """Return why levels could not be asked, or not for every file."""
        with self._lock:
            return [problem.message for problem in self._problems.values()]

    def fill(
        self, sha256: str, name: str, part: BinaryIO, received: Callable[[int], None]
    ) -> Level | None:
        """Write a file to `part`, which is left as it is when no level has the file.

        Return the level that gave it, its bytes checked. `received` is told of the bytes as
        they come; what it raises ends the transfer.
        """
        for level in self._levels:
            sink = _CheckedSink(part, received)
            try:
                is_there = level.name not in self._given_up and level.fetch(sha256, sink)
            except LevelError as error:
                self._note(level, error)
                sink.throw_away()
                continue
            if is_there and sink.sha256 == sha256:
                part.flush()
                return level
            if is_there:
                sink.throw_away()
                self._note_altered(level, name, sha256, sink.sha256)
        return None

    def has_at_hand(self, sha256: str) -> bool:
        """Tell whether a level that needs no network has a file."""
        return any(level.is_local and level.sizes([sha256]) for level in self._levels)

    def find(self, sha256s: Collection[str]) -> dict[str, str]:
        """Return which level, by name, has which of the files: the first that does."""
        found: dict[str, str] = {}
        for level in self._levels:
            try:
                there = level.sizes([sha256 for sha256 in sha256s if sha256 not in found])
            except LevelError as error:
                self._note(level, error)
                continue
            found |= dict.fromkeys(there, level.name)
        return found

    def _note(self, level: Level, error: LevelError) -> None:
        """Remember a level's first problem; beyond one file it is asked no more."""
        with self._lock:
            if not isinstance(error, RefusedFileError):
                self._given_up.add(level.name)
            if level.name in self._problems:
                return
            self._problems[level.name] = error
        logs.event("level.failed", level=level.name, problem=error.message)

    def _note_altered(self, level: Level, name: str, sha256: str, found: str) -> None:
        warning = (
            f"{level.name} gave other bytes for {name} than the lock names "
            f"(sha256 {found[:12]} instead of {sha256[:12]}); thrown away, and asked for "
            "elsewhere; mend it with: orch wheels push --force"
        )
        with self._lock:
            self._altered.append(warning)
        logs.event("level.altered", level=level.name, file=name, expected=sha256, found=found)


class _CheckedSink:
    """Writes to a file, whose older content goes when the first piece comes."""

    def __init__(self, part: BinaryIO, received: Callable[[int], None]) -> None:
        self._part = part
        self._received = received
        self._digest = hashlib.sha256()
        self._is_begun = False

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, data: bytes, /) -> None:
        if not self._is_begun:
            self._is_begun = True
            self._part.truncate(0)
        self._part.write(data)
        self._digest.update(data)
        self._received(len(data))

    def throw_away(self) -> None:
        if self._is_begun:
            self._part.flush()
            self._part.truncate(0)
