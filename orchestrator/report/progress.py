"""Progress of a build for who is watching: live bars, plain lines, JSON lines, or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TextIO

from orchestrator.plan import Action, Step
from orchestrator.ports import Observer, Outcome
from orchestrator.printable import printable
from orchestrator.report.showing import JsonLines, Showing, Shown, live_bars
from orchestrator.report.text import format_bytes, format_outcome


class Progress(Observer, Showing, Protocol):
    """An observer that is shown while a block runs."""


class SilentProgress(Shown):
    """Shows nothing; what the others have in common."""

    def __init__(self, display: AbstractContextManager[Any] | None = None) -> None:
        super().__init__(display)
        self.fetched_bytes = 0

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
        self._lines = JsonLines(out)

    def started(self, step: Step) -> None:
        """Write that an image is being built."""
        self._lines.write("started", image=step.image.name)

    def finished(self, outcome: Outcome) -> None:
        """Write what came of an image."""
        self._lines.write_finished(
            outcome.step.image.name, outcome.status.value, outcome.digest, outcome.duration_s
        )


class LiveProgress(SilentProgress):
    """A bar for the whole, and a line for each image being built; finished ones scroll by."""

    def __init__(self) -> None:
        from rich import progress as rich  # noqa: PLC0415 - slow to import, and not always used

        self._bars = live_bars(
            rich.MofNCompleteColumn(),
            rich.TimeElapsedColumn(),
            rich.TextColumn("{task.fields[note]}"),
        )
        super().__init__(self._bars)
        self._whole = self._bars.add_task("images", total=None, note="")
        self._tasks: dict[str, Any] = {}
        self._shown_at = 0.0

    def planned(self, steps: int) -> None:
        """Let the bar stand for that many images."""
        self._bars.update(self._whole, total=steps, completed=0)

    def started(self, step: Step) -> None:
        """Show an image that is being built."""
        task = self._bars.add_task(
            step.image.name, total=None, note=printable(str(step.reasons[0])[:60])
        )
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
