"""Log events with stable names: for people in a terminal, as JSON in CI.

Nothing is logged, and structlog is not imported, until `configure` was called.
"""

from __future__ import annotations

import os
from typing import Any, Protocol


class _Logger(Protocol):
    def info(self, event: str, /, **fields: Any) -> Any: ...


_logger: _Logger | None = None


def configure(log_format: str) -> None:
    """Begin to log to standard error; `auto` is JSON where the variable `CI` is set."""
    import sys  # noqa: PLC0415 - only where something is logged

    import structlog  # noqa: PLC0415 - slow to import

    as_json = log_format == "json" or (log_format == "auto" and bool(os.environ.get("CI")))
    renderer: Any = structlog.processors.JSONRenderer(sort_keys=True)
    if not as_json:
        colors = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        renderer = structlog.dev.ConsoleRenderer(colors=colors)
    structlog.configure(
        processors=[structlog.processors.TimeStamper(fmt="iso", utc=True), renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    global _logger  # noqa: PLW0603 - one process has one log
    _logger = structlog.get_logger()


def event(name: str, **fields: Any) -> None:
    """Log an event; names are `NOUN.VERB`, and fields are numbers and strings."""
    if _logger is not None:
        _logger.info(name, **fields)
