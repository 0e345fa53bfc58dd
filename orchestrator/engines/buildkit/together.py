"""Builds in one process of buildx together, where a process each would cost more than they do."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.dockerfile.stages import Dockerfile
from orchestrator.engines.buildkit.command import BuildCommand, environment_of
from orchestrator.engines.buildkit.process import Processes
from orchestrator.engines.buildkit.rawjson import RawJson, Status, Targets

_PROCESSES = 2
_GATHERING_S = 0.05
_SLOW = frozenset({"RUN", "ADD", "ONBUILD"})


def is_light(dockerfile: Dockerfile) -> bool:
    """Tell whether a Dockerfile runs and fetches nothing, so that nobody waits for it for long."""
    stages = dockerfile.stages
    return not any(item.name in _SLOW for stage in stages for item in stage.instructions)


@dataclass(slots=True)
class _Waiting:
    command: BuildCommand
    take: Callable[[Status], None]
    is_over: bool = False
    is_built: bool = False
    error: BaseException | None = field(default=None)


class Together:
    """Builds what is asked for at the same time with `docker buildx bake`. Threads share one.

    Who asks while others are being built waits, and is built with all who came meanwhile.
    What is built together is what was ready at the same time: none of it stands on another.
    """

    def __init__(
        self, processes: Processes, buildx: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self._processes = processes
        self._buildx = buildx
        self._environment = environment_of(environment)
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._running = 0
        self._is_gathering = False

    def build(self, command: BuildCommand, take: Callable[[Status], None]) -> bool:
        """Build one among others; `take` is given what is said of it. Return whether it was built.

        One that fails takes the others with it, and nothing tells which it was: all are to be
        built by themselves then.

        Raises:
            InterruptedByUserError: It was stopped.
        """
        mine = _Waiting(command, take)
        with self._changed:
            self._waiting.append(mine)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_turn_of(mine))
            batch = [] if mine.is_over else self._gather()
        if batch:
            self._carry_out(batch)
        if mine.error is not None:
            raise mine.error
        return mine.is_built

    def _is_turn_of(self, mine: _Waiting) -> bool:
        if mine.is_over:
            return True
        is_room = self._running < _PROCESSES and not self._is_gathering
        return is_room and mine in self._waiting

    def _gather(self) -> list[_Waiting]:
        """Return all who wait, once nobody came for a moment: one image ends, several begin."""
        self._is_gathering = True
        count = 0
        while len(self._waiting) > count:
            count = len(self._waiting)
            self._changed.wait_for(lambda: len(self._waiting) > count, _GATHERING_S)  # noqa: B023 - waited for here
        batch, self._waiting = self._waiting, []
        self._is_gathering = False
        self._running += 1
        return batch

    def _carry_out(self, batch: list[_Waiting]) -> None:
        error: BaseException | None = None
        try:
            self._bake(batch)
        except BaseException as caught:  # noqa: BLE001 - each of those who wait raises it
            error = caught
        with self._changed:
            self._running -= 1
            for waiting in batch:
                waiting.is_over, waiting.error = True, error
            self._changed.notify_all()

    def _bake(self, batch: list[_Waiting]) -> None:
        targets = {f"t{number}": waiting for number, waiting in enumerate(batch)}
        raw, split = RawJson(), Targets(list(targets))

        def take(line: str) -> None:
            status = raw.feed(line)
            for name, part in split.split(status) if status else ():
                targets[name].take(part)

        with tempfile.TemporaryDirectory(prefix="orch-build-") as text:
            scratch = Path(text)
            document = {name: waiting.command.target() for name, waiting in targets.items()}
            (scratch / "bake.json").write_text(json.dumps({"target": document}), "utf-8")
            words = [
                *self._buildx,
                "bake",
                "--progress=rawjson",
                f"--builder={batch[0].command.builder}",
                f"--metadata-file={scratch / 'metadata.json'}",
                f"--file={scratch / 'bake.json'}",
                *targets,
            ]
            if self._processes.run(words, self._environment, batch[0].command.root, take):
                return
            found = _read(scratch / "metadata.json")
        for name, waiting in targets.items():
            if name in found:
                waiting.command.metadata.write_text(json.dumps(found[name]), "utf-8")
                waiting.is_built = True


def _read(metadata: Path) -> dict[str, Any]:
    """Return what buildx wrote of each target; nothing where it wrote none."""
    try:
        found: dict[str, Any] = json.loads(metadata.read_bytes())
    except (OSError, ValueError):
        return {}
    return found
