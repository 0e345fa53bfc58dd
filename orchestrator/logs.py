"""Log events with stable names: for people in a terminal, as JSON in CI, or kept for a trace.

Nothing is logged, and structlog is not imported, until `configure` was called. Every event carries
`run`, the id of the command that it is about; reports and the history have the same.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.printable import printable


class _Logger(Protocol):
    def info(self, event: str, /, **fields: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Event:
    """An event that was logged; `at_s` is by the monotonic clock."""

    name: str
    at_s: float
    fields: dict[str, Any]


_logger: _Logger | None = None
_kept: list[list[Event]] = []
_run = ""


def begin_run() -> str:
    """Give the command that begins an id, and return it; ids are in the order of their seconds."""
    global _run  # noqa: PLW0603 - one process runs one command
    _run = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.urandom(3).hex()}"
    return _run


def run_id() -> str:
    """Return the id of the command that runs."""
    return _run or begin_run()


def configure(log_format: str) -> None:
    """Begin to log to standard error; `auto` is JSON where the variable `CI` is set."""
    import sys  # noqa: PLC0415 - only where something is logged

    import structlog  # noqa: PLC0415 - slow to import

    as_json = log_format == "json" or (log_format == "auto" and bool(os.environ.get("CI")))
    renderer: Any = structlog.processors.JSONRenderer(sort_keys=True)
    escaping: list[Any] = []
    if not as_json:
        escaping = [_printable]
        colors = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        renderer = structlog.dev.ConsoleRenderer(colors=colors)
    structlog.configure(
        processors=[structlog.processors.TimeStamper(fmt="iso", utc=True), *escaping, renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    global _logger  # noqa: PLW0603 - one process has one log
    _logger = structlog.get_logger()


def _printable(_logger: object, _method: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Let no value reach a terminal as others chose it; JSON escapes by itself."""
    return {
        key: printable(value) if isinstance(value, str) else value for key, value in fields.items()
    }


@contextmanager
def keeping() -> Iterator[list[Event]]:
    """Keep every event while the block runs, also where nothing is logged."""
    kept: list[Event] = []
    _kept.append(kept)
    try:
        yield kept
    finally:
        _kept.remove(kept)


def event(name: str, **fields: Any) -> None:
    """Log an event; names are `NOUN.VERB`, and fields are numbers and strings.

    docs/reference/events.md has all of them.
    """
    if _logger is not None:
        _logger.info(name, run=run_id(), **fields)
    for kept in _kept:
        kept.append(Event(name, time.monotonic(), fields))
