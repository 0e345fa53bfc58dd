"""What progress of builds and of pushes has in common: where and how it is shown."""

from __future__ import annotations

import json
import threading
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import ProgressColumn


class Showing(Protocol):
    """What is shown while a block runs."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Shown:
    """Is shown on a display, if there is one, while a block runs."""

    def __init__(self, display: AbstractContextManager[Any] | None = None) -> None:
        self._lock = threading.Lock()
        self._display = display or nullcontext()

    def __enter__(self) -> Self:
        self._display.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._display.__exit__(kind, error, traceback)


class JsonLines:
    """A JSON object a line, `orch.progress/1`; threads may share one."""

    def __init__(self, out: TextIO) -> None:
        self._lock = threading.Lock()
        self._out = out

    def write(self, event: str, **values: object) -> None:
        """Write an event at once."""
        document = {"schema": "orch.progress/1", "event": event, **values}
        with self._lock:
            self._out.write(json.dumps(document) + "\n")
            self._out.flush()

    def write_finished(self, image: str, status: str, digest: str, duration_s: float) -> None:
        """Write what came of an image."""
        rounded = round(duration_s, 3)
        self.write("finished", image=image, status=status, digest=digest, duration_s=rounded)


def live_bars(*columns: ProgressColumn) -> Bars:
    """Return bars on standard error that are gone at the end: what, how far, and more columns."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, and not always used
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - likewise

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *columns,
        console=Console(stderr=True),
        transient=True,
    )
