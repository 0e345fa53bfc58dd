"""Stamps that a second process takes while this one reads what else a plan follows from."""

from __future__ import annotations

import mmap
import os
import signal
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from orchestrator.model import Image
from orchestrator.remembered.stamps import CopiedStamp, CopiedStamps

WORTH_A_PROCESS = 1000
"""From so many images on, walking their files takes longer than starting a process."""

_TEXT = 64
_ROW = _TEXT + 1
"""A stamp's text, and a mark: none while the stamp is not known."""

_MARKS = {False: 1, True: 2}
"""By whether a change since would show."""


class StampsAhead:
    """Stamps of many images, from a second process that begins with the last of them.

    Who asks begins with the first, and takes the stamps itself that are not known yet: the two
    meet where the one is as fast as the other, and neither waits. Where the process cannot be
    started, or ends early, no stamp is known.

    Threads would not do: each `lstat` gives up the interpreter's lock for less time than taking
    it again costs.
    """

    def __init__(self, root: Path, images: Iterable[Image]) -> None:
        copying = [image for image in images if image.recipe.files]
        self._places = {image.name: number * _ROW for number, image in enumerate(copying)}
        self._rows: mmap.mmap | None = None
        self._process = 0
        # A copy of a process that has threads may hold locks that nobody will give back.
        if len(copying) >= WORTH_A_PROCESS and threading.active_count() == 1:
            self._start(str(root), copying)

    def of(self, image: Image) -> CopiedStamp | None:
        """Return an image's stamp, or None where it is not known."""
        at = self._places.get(image.name)
        # The mark is written last and read first. A row of which not all is to be seen yet would
        # do no harm: a stamp that is not right equals none that is remembered.
        if self._rows is None or at is None or not (mark := self._rows[at + _TEXT]):
            return None
        return CopiedStamp(self._rows[at : at + _TEXT].decode(), mark == _MARKS[True])

    def close(self) -> None:
        """End the process if it still runs; nothing more is known then."""
        if self._rows is not None:
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
            self._rows.close()
            self._rows = None

    def _start(self, root: str, images: Sequence[Image]) -> None:
        rows = mmap.mmap(-1, len(images) * _ROW)  # of no file, and shared with the process
        try:
            self._process = os.fork()
        except OSError:
            rows.close()
            return
        if not self._process:
            try:
                self._take(rows, CopiedStamps(root), images)
            finally:
                os._exit(0)  # whatever happened: nothing else of the program is to run twice
        self._rows = rows

    def _take(self, rows: mmap.mmap, stamps: CopiedStamps, images: Sequence[Image]) -> None:
        for image in reversed(images):
            if stamp := stamps.of(image):
                at = self._places[image.name]
                rows[at : at + _TEXT] = stamp.text.encode()
                rows[at + _TEXT] = _MARKS[stamp.was_settled]
