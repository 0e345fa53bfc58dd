"""Progress of a push for who is watching: a live bar, plain lines, JSON lines, or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TextIO

from orchestrator.publish.outgoing import OutgoingImage, Pushed
from orchestrator.publish.push import PushObserver
from orchestrator.report.pushes import format_pushed
from orchestrator.report.showing import JsonLines, Showing, Shown, live_bars
from orchestrator.report.text import format_bytes


class PushProgress(PushObserver, Showing, Protocol):
    """An observer that is shown while a block runs."""


class SilentPush(Shown):
    """Shows nothing; what the others have in common."""

    def surveyed(self, images: int, upload_bytes: int) -> None:
        """Take no note."""

    def sent(self, size_bytes: int) -> None:
        """Take no note."""

    def examining(self, image: OutgoingImage) -> None:
        """Take no note."""

    def finished(self, pushed: Pushed) -> None:
        """Take no note."""


class PlainPush(SilentPush):
    """A line when it is known what is to be sent and one for each image: for logs and pipes."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say

    def surveyed(self, images: int, upload_bytes: int) -> None:
        """Say how much is to be sent."""
        if upload_bytes:
            self._say(f"sending {format_bytes(upload_bytes)} for {images} images")

    def examining(self, image: OutgoingImage) -> None:
        """Say what is waited for."""
        self._say(f"waiting for the findings of {image.name}")

    def finished(self, pushed: Pushed) -> None:
        """Say what came of an image."""
        self._say(format_pushed(pushed))


class JsonPush(SilentPush):
    """A JSON object a line, for programs."""

    def __init__(self, out: TextIO) -> None:
        super().__init__()
        self._lines = JsonLines(out)

    def surveyed(self, images: int, upload_bytes: int) -> None:
        """Write how much is to be sent."""
        self._lines.write("surveyed", images=images, upload_bytes=upload_bytes)

    def examining(self, image: OutgoingImage) -> None:
        """Write what is waited for."""
        self._lines.write("examining", image=image.name)

    def finished(self, pushed: Pushed) -> None:
        """Write what came of an image."""
        self._lines.write_finished(
            pushed.image.name, pushed.status.value, pushed.digest, pushed.duration_s
        )


class LivePush(SilentPush):
    """A bar of the bytes that are sent; finished images scroll by."""

    def __init__(self) -> None:
        from rich import progress as rich  # noqa: PLC0415 - slow to import, and not always used

        self._bars = live_bars(rich.DownloadColumn(), rich.TransferSpeedColumn())
        super().__init__(self._bars)
        self._whole = self._bars.add_task("looking at what is there", total=None)
        self._sent_bytes = 0
        self._shown_at = 0.0

    def surveyed(self, images: int, upload_bytes: int) -> None:
        """Let the bar stand for the bytes that are to be sent."""
        self._bars.update(self._whole, description=f"pushing {images} images", total=upload_bytes)

    def sent(self, size_bytes: int) -> None:
        """Show how much was sent, a few times a second."""
        with self._lock:
            self._sent_bytes += size_bytes
            if time.monotonic() - self._shown_at < 0.1:
                return
            self._shown_at = time.monotonic()
        self._bars.update(self._whole, completed=self._sent_bytes)

    def examining(self, image: OutgoingImage) -> None:
        """Let the bar say what is waited for."""
        self._bars.update(self._whole, description=f"waiting for the findings of {image.name}")

    def finished(self, pushed: Pushed) -> None:
        """Let a finished image scroll by."""
        self._bars.console.print(format_pushed(pushed), highlight=False, markup=False)
