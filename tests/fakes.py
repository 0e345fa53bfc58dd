"""Stand-ins for the scheduler's neighbours, written by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.levels import LevelError, Sink
from orchestrator.plan import Step
from orchestrator.ports import Made, Outcome


@dataclass
class FakeEngine:
    """Makes an image of any step; `on` says what else happens while one is built, by name.

    What `on` raises is the build's failure. `built` has the names in the order they began,
    `parents` what each was given, `most_at_once` how many were being built at the same
    time; `stopped` is set when it was told to stop.
    """

    on: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    built: list[str] = field(default_factory=list)
    parents: dict[str, dict[str, str]] = field(default_factory=dict)
    most_at_once: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def build(self, step: Step, parents: Mapping[str, str]) -> Made:
        name = step.image.name
        with self._lock:
            self.built.append(name)
            self.parents[name] = dict(parents)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self.on.get(name, lambda: None)()
        finally:
            with self._lock:
                self._at_once -= 1
        return Made(f"sha256:{name}", 100, 200)

    def stop(self) -> None:
        self.stopped.set()


@dataclass
class FakeObserver:
    """Remembers what it was told, as `started NAME` and `STATUS NAME`."""

    events: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def planned(self, steps: int) -> None:
        self._add(f"planned {steps}")

    def started(self, step: Step) -> None:
        self._add(f"started {step.image.name}")

    def fetched(self, size_bytes: int) -> None:
        self._add(f"fetched {size_bytes}")

    def finished(self, outcome: Outcome) -> None:
        self._add(f"{outcome.status.value} {outcome.step.image.name}")

    def _add(self, event: str) -> None:
        with self._lock:
            self.events.append(event)


@dataclass
class FakeLevel:
    """Keeps files in memory; `error` is raised by whatever is asked. `asked` has what was."""

    name: str = "s3://fake"
    is_local: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    error: LevelError | None = None
    asked: list[str] = field(default_factory=list)

    def fetch(self, sha256: str, into: Sink) -> bool:
        self._answer(sha256)
        if sha256 not in self.files:
            return False
        for start in range(0, len(self.files[sha256]), 1000):
            into.write(self.files[sha256][start : start + 1000])
        return True

    def sizes(self, sha256s: Collection[str]) -> dict[str, int]:
        self._answer(*sha256s)
        return {key: len(self.files[key]) for key in sha256s if key in self.files}

    def put(self, sha256: str, file: Path, name: str) -> None:
        self._answer(sha256)
        self.files[sha256] = file.read_bytes()

    def _answer(self, *sha256s: str) -> None:
        self.asked += sha256s
        if self.error is not None:
            raise self.error
