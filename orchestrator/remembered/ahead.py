"""Stamps that a second process takes while this one reads what else a plan follows from."""

from __future__ import annotations

import marshal
import os
import signal
import threading
from collections.abc import Iterable
from pathlib import Path

from orchestrator.model import Image
from orchestrator.remembered.stamps import CopiedStamp, CopiedStamps

WORTH_A_PROCESS = 1000
"""From so many images on, walking their files takes longer than starting a process."""

_SHARE = 0.7
"""Of the images, from the last: this process walks the first ones when it comes to them."""


class StampsAhead:
    """Stamps of the later ones of many images, on their way from a second process.

    Threads would not do: each `lstat` gives up the interpreter's lock for less time than taking
    it again costs. Where the process cannot be started, or ends early, no stamp is known, and
    who asks takes it.
    """

    def __init__(self, root: Path, images: Iterable[Image]) -> None:
        copying = [image for image in images if image.recipe.files]
        self._images = copying[round(len(copying) * (1 - _SHARE)) :]
        self._names = {image.name for image in self._images}
        self._stamps: dict[str, CopiedStamp] = {}
        self._process = self._pipe = 0
        # A copy of a process that has threads may hold locks that nobody will give back.
        if len(copying) >= WORTH_A_PROCESS and threading.active_count() == 1:
            self._start(str(root))

    def of(self, image: Image) -> CopiedStamp | None:
        """Return an image's stamp, or None where it is not known."""
        if self._process and image.name in self._names:
            self._receive()
        return self._stamps.get(image.name)

    def close(self) -> None:
        """End the process if it still runs; nothing more is known then."""
        if self._process:
            os.kill(self._process, signal.SIGKILL)
            self._receive()
            self._stamps.clear()

    def _start(self, root: str) -> None:
        self._pipe, writing = os.pipe()
        try:
            self._process = os.fork()
        except OSError:
            os.close(self._pipe)
            os.close(writing)
            return
        if not self._process:
            try:
                _send(writing, [CopiedStamps(root).of(image) for image in self._images])
            finally:
                os._exit(0)  # whatever happened: nothing else of the program is to run twice
        os.close(writing)

    def _receive(self) -> None:
        with open(self._pipe, "rb") as pipe:  # noqa: PTH123 - it is no path
            text = pipe.read()
        os.waitpid(self._process, 0)
        self._process = 0
        try:
            rows = marshal.loads(text)  # noqa: S302 - this program wrote it
        except (EOFError, ValueError, TypeError):
            return
        for image, row in zip(self._images, rows, strict=True):
            if row:
                self._stamps[image.name] = CopiedStamp(*row)


def _send(pipe: int, stamps: Iterable[CopiedStamp | None]) -> None:
    rows = [stamp and tuple(stamp) for stamp in stamps]
    with open(pipe, "wb") as file:
        file.write(marshal.dumps(rows))
