"""Several builders at once: each image goes to the one that has the least to do."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from orchestrator.engines.buildkit.engine import BuildKit
from orchestrator.errors import MissingToolError
from orchestrator.plan import Step
from orchestrator.ports import Made


class Spread:
    """An engine of engines, by the names of their builders. Threads share one.

    They take parents from one layout and put images there, so any of them can build any image. What
    one that is out of reach would have built, others build.
    """

    def __init__(self, engines: Mapping[str, BuildKit]) -> None:
        self._engines = engines
        self._busy = dict.fromkeys(engines, 0)
        self._lost: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def warnings(self) -> Sequence[str]:
        """Return what a person should know at the end."""
        lost = [f"others built what was for builder {n}: {why}" for n, why in self._lost.items()]
        return [*lost, *(said for engine in self._engines.values() for said in engine.warnings)]

    def stop(self) -> None:
        """End all builds; their steps are cancelled."""
        for engine in self._engines.values():
            engine.stop()

    def close(self) -> None:
        """End what nobody waits for any more."""
        for engine in self._engines.values():
            engine.close()

    def build(self, step: Step, parents: Mapping[str, str]) -> Made:
        """Build an image with a builder that is in reach.

        Raises:
            MissingToolError: None is.
            OrchError: As the builder's engine does.
        """
        while True:
            name = self._take()
            try:
                return self._engines[name].build(step, parents)
            except MissingToolError as error:
                with self._lock:
                    self._lost.setdefault(name, str(error))
                    if len(self._lost) == len(self._engines):
                        raise
            finally:
                with self._lock:
                    self._busy[name] -= 1

    def _take(self) -> str:
        """Return the builder that has the least to do, in the order given among equals."""
        with self._lock:
            able = [name for name in self._engines if name not in self._lost]
            name = min(able or self._engines, key=self._busy.__getitem__)
            self._busy[name] += 1
            return name
