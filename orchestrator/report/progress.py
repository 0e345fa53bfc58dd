"""Progress of a build for who is watching: live bars, plain lines, JSON lines, or nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from orchestrator.plan import Action, Step
from orchestrator.ports import Observer, Outcome
from orchestrator.report.text import format_bytes, format_outcome


class Progress(Observer, Protocol):
    """An observer that is shown while a block runs."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class SilentProgress:
    """Shows nothing; what the others have in common."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.fetched_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    def planned(self, steps: int) -> None:
        """Take no note."""

    def started(self, step: Step) -> None:
        """Take no note."""

    def fetched(self, size_bytes: int) -> None:
        """Count bytes that came over the network."""
        with self._lock:
            self.fetched_bytes += size_bytes

    def finished(self, outcome: Outcome) -> None:
        """Take no note."""


class PlainProgress(SilentProgress):
    """A line when an image is begun and one when it is done: for logs and pipes."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say
        self._total = self._done = 0

    def planned(self, steps: int) -> None:
        """Count from nothing again."""
        self._total, self._done = steps, 0

    def started(self, step: Step) -> None:
        """Say that an image is being built, and why."""
        self._say(f"building {step.image.name}: {step.reasons[0]}")

    def finished(self, outcome: Outcome) -> None:
        """Say what came of an image."""
        if outcome.step.action is not Action.BUILD:
            return
        with self._lock:
            self._done += 1
            done = self._done
        self._say(f"[{done}/{self._total}] {format_outcome(outcome)}")


class JsonProgress(SilentProgress):
    """A JSON object a line, for programs."""

    def __init__(self, out: TextIO) -> None:
        super().__init__()
        self._out = out

    def started(self, step: Step) -> None:
        """Write that an image is being built."""
        self._write({"event": "started", "image": step.image.name})

    def finished(self, outcome: Outcome) -> None:
        """Write what came of an image."""
        self._write(
            {
                "event": "finished",
                "image": outcome.step.image.name,
                "status": outcome.status.value,
                "digest": outcome.digest,
                "duration_s": round(outcome.duration_s, 3),
            }
        )

    def _write(self, event: dict[str, Any]) -> None:
        with self._lock:
            self._out.write(json.dumps({"schema": "orch.progress/1", **event}) + "\n")
            self._out.flush()


class LiveProgress(SilentProgress):
    """A bar for the whole, and a line for each image being built; finished ones scroll by."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console  # noqa: PLC0415 - slow to import, and not always used
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.progress import Progress as Bars  # noqa: PLC0415

        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._whole = self._bars.add_task("images", total=None, note="")
        self._tasks: dict[str, Any] = {}
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

    def planned(self, steps: int) -> None:
        """Let the bar stand for that many images."""
        self._bars.update(self._whole, total=steps, completed=0)

    def started(self, step: Step) -> None:
        """Show an image that is being built."""
        task = self._bars.add_task(step.image.name, total=None, note=str(step.reasons[0])[:60])
        self._tasks[step.image.name] = task

    def fetched(self, size_bytes: int) -> None:
        """Show how much came over the network, a few times a second."""
        super().fetched(size_bytes)
        if time.monotonic() - self._shown_at > 0.2:
            self._shown_at = time.monotonic()
            note = f"fetched {format_bytes(self.fetched_bytes)}"
            self._bars.update(self._whole, note=note)

    def finished(self, outcome: Outcome) -> None:
        """Let a finished image scroll by."""
        task = self._tasks.pop(outcome.step.image.name, None)
        if task is not None:
            self._bars.remove_task(task)
        if outcome.step.action is Action.BUILD:
            self._bars.console.print(format_outcome(outcome), highlight=False, markup=False)
            self._bars.advance(self._whole)
