"""What takes long to load: loaded in the background, once everything it needs exists."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from voiceplatform.components import READY, Status, waiting

log = logging.getLogger(__name__)
T = TypeVar("T")
Missing = Callable[[], str]


class NotReadyError(Exception):
    """A resource was asked for before it was there."""


class Resource(Generic[T]):
    """Loads in a thread of its own; `missing` says what has to exist first, "" for nothing."""

    def __init__(self, name: str, load: Callable[[], T], missing: Missing = lambda: "") -> None:
        self.name = name
        self._load = load
        self._missing = missing
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._value: T | None = None
        self._error = ""

    def status(self) -> Status:
        """Return whether the resource is there; begin to load it as soon as it can be."""
        if self._value is not None:
            return READY
        if self._error:
            return waiting(self._error)
        if missing := self._missing():
            return waiting(missing)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()
        return waiting("loading")

    def get(self) -> T:
        """Return the resource.

        Raises:
            NotReadyError: It is not loaded yet, or could not be.
        """
        status = self.status()
        if self._value is None:
            raise NotReadyError(f"{self.name}: {status.detail}")
        return self._value

    def _run(self) -> None:
        try:
            self._value = self._load()
        except Exception as error:
            log.exception("loading %s failed", self.name)
            self._error = f"{type(error).__name__}: {error}".splitlines()[0]


def files(*paths: Path) -> Missing:
    """Say which of these files are missing."""

    def missing() -> str:
        absent = [str(path) for path in paths if not path.exists()]
        return f"no {', '.join(absent)}" if absent else ""

    return missing


def environment(*names: str) -> Missing:
    """Say which of these environment variables are not set."""

    def missing() -> str:
        absent = [name for name in names if not os.environ.get(name)]
        return f"{', '.join(absent)} not set" if absent else ""

    return missing
