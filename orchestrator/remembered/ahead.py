"""Stamps that a second process takes while this one reads what else a plan follows from."""

from __future__ import annotations

import mmap
import os
import signal
import threading
from pathlib import Path, PurePosixPath

from orchestrator.model import Image
from orchestrator.remembered.memory import Kind, Memory
from orchestrator.remembered.recipes import foresee_copies, was_read_from
from orchestrator.remembered.stamps import CopiedStamp, CopiedStamps

WORTH_A_PROCESS = 1000
"""From so many images on, walking their files takes longer than starting a process."""

_TEXT = 64
_ROW = _TEXT + 1
"""A stamp's text, and a mark: none while the stamp is not known."""

_MARKS = {False: 1, True: 2}
"""By whether a change since would show."""


class StampsAhead:
    """Stamps of what recipes copied when they were last read, from a second process.

    It begins with the last of them. Who asks begins with the first, and takes the stamps itself
    that are not known yet: the two meet where the one is as fast as the other, and neither waits.
    Where the process cannot be started, or ends early, no stamp is known.

    Threads would not do: each `lstat` gives up the interpreter's lock for less time than taking
    it again costs.
    """

    def __init__(self, root: Path, memory: Memory) -> None:
        self._recipes = memory.foresee(Kind.RECIPE)
        self._places = {file: number * _ROW for number, file in enumerate(self._recipes)}
        self._stamps: mmap.mmap | None = None
        self._process = 0
        # A copy of a process that has threads may hold locks that nobody will give back.
        if len(self._places) >= WORTH_A_PROCESS and threading.active_count() == 1:
            self._start(str(root))

    @property
    def is_open(self) -> bool:
        """Tell whether stamps may be known."""
        return self._stamps is not None

    def of(self, image: Image) -> CopiedStamp | None:
        """Return an image's stamp, or None where it is not known.

        It is that of another recipe's files where the recipe changed since, and then not given.
        """
        file = os.fsencode(str(image.file))
        at = self._places.get(file)
        if self._stamps is None or at is None:
            return None
        # The mark is written last and read first. A row of which not all is to be seen yet would
        # do no harm: a stamp that is not right equals none that is remembered.
        mark = self._stamps[at + _TEXT]
        if not mark or not was_read_from(self._recipes[file][1], image.recipe):
            return None
        return CopiedStamp(self._stamps[at : at + _TEXT].decode(), mark == _MARKS[True])

    def close(self) -> None:
        """End the process if it still runs; nothing more is known then."""
        if self._stamps is not None:
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
            self._stamps.close()
            self._stamps = None

    def _start(self, root: str) -> None:
        stamps = mmap.mmap(-1, len(self._places) * _ROW)  # of no file, and shared
        try:
            self._process = os.fork()
        except OSError:
            stamps.close()
            return
        if not self._process:
            try:
                os.closerange(0, 3)  # who reads what this program prints waits for nobody else
                self._take(stamps, CopiedStamps(root))
            finally:
                os._exit(0)  # whatever happened: nothing else of the program is to run twice
        self._stamps = stamps

    def _take(self, stamps: mmap.mmap, taking: CopiedStamps) -> None:
        for file, row in reversed(list(self._recipes.items())):
            copies = foresee_copies(*row)
            folder = PurePosixPath(os.fsdecode(file)).parent
            if copies and (stamp := taking.of(str(folder), copies)):
                at = self._places[file]
                stamps[at : at + _TEXT] = stamp.text.encode()
                stamps[at + _TEXT] = _MARKS[stamp.was_settled]
