"""Progress of a push for who is watching: a live bar, plain lines, JSON lines, or nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from orchestrator.publish.outgoing import OutgoingImage, Pushed
from orchestrator.publish.push import PushObserver
from orchestrator.report.pushes import format_pushed
from orchestrator.report.text import format_bytes


class PushProgress(PushObserver, Protocol):
    """An observer that is shown while a block runs."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class SilentPush:
    """Shows nothing; what the others have in common."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

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
        self._out = out

    def surveyed(self, images: int, upload_bytes: int) -> None:
        """Write how much is to be sent."""
        self._write({"event": "surveyed", "images": images, "upload_bytes": upload_bytes})

    def examining(self, image: OutgoingImage) -> None:
        """Write what is waited for."""
        self._write({"event": "examining", "image": image.name})

    def finished(self, pushed: Pushed) -> None:
        """Write what came of an image."""
        self._write(
            {
                "event": "finished",
                "image": pushed.image.name,
                "status": pushed.status.value,
                "digest": pushed.digest,
                "duration_s": round(pushed.duration_s, 3),
            }
        )

    def _write(self, event: dict[str, Any]) -> None:
        with self._lock:
            self._out.write(json.dumps({"schema": "orch.progress/1", **event}) + "\n")
            self._out.flush()


class LivePush(SilentPush):
    """A bar of the bytes that are sent; finished images scroll by."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console  # noqa: PLC0415 - slow to import, and not always used
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TransferSpeedColumn,
        )

        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._whole = self._bars.add_task("looking at what is there", total=None)
        self._sent_bytes = 0
        self._shown_at = 0.0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

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
