"""Images and containers for tests of gates: layers made in memory, containers that are played."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.engines.docker.trial import Confined, ContainerState, EngineCheck
from orchestrator.errors import InterruptedByUserError, OrchError
from orchestrator.model import Gates, ImageKind
from orchestrator.oci.layer import Layer
from orchestrator.verify.contents import Contents, stack_layers
from orchestrator.verify.gate import Result, Subject, Verdict
from orchestrator.verify.gates import GATES
from orchestrator.verify.layers import read_layer
from orchestrator.verify.observe import Tried
from orchestrator.verify.probes import Prober
from tests.debs import tar_of
from tests.helpers import AMD64, image_of

Members = Sequence[tuple[tarfile.TarInfo, bytes]]
CONFIG: Mapping[str, Any] = {
    "User": "1000:1000",
    "Cmd": ["/app/serve"],
    "ExposedPorts": {"8000/tcp": {}},
    "Healthcheck": {"Test": ["CMD", "/app/serve", "http://127.0.0.1:8000/health"]},
}
HEALTHY = "http://127.0.0.1:8000/health"


def contents_of(folder: Path, *layers: Members) -> Contents:
    """Return what an image of these layers holds, the lowest first."""
    facts = []
    for number, members in enumerate(layers):
        blob = folder / f"{number}.tar.gz"
        blob.write_bytes(gzip.compress(tar_of(members), 1))
        facts.append(read_layer(blob))
    return stack_layers(facts)


def subject_of(
    contents: Contents, kind: ImageKind = ImageKind.SERVICE, gates: Gates | None = None, **more: Any
) -> Subject:
    """Return a service, or a base, of these contents; `more` takes the place of what is usual."""
    image = image_of("api", kind=kind)
    image = replace(image, recipe=replace(image.recipe, gates=gates or Gates()))
    layers = tuple(Layer("sha256:1", "sha256:1", 10, 0, "files") for _ in range(1))
    subject = Subject(image, AMD64, "sha256:now", layers, CONFIG, contents, unobserved="no Docker")
    return replace(subject, **more)


def verdict_of(gate: str, subject: Subject) -> Verdict | None:
    """Return what a gate says of an image."""
    return next(item for item in GATES if item.id == gate).judge(subject)


def result_of(gate: str, subject: Subject) -> Result | None:
    """Return what a gate comes to."""
    verdict = verdict_of(gate, subject)
    return verdict.result if verdict else None


@dataclass(frozen=True)
class Life:
    """How a played container lives: on a clock that moves when somebody waits.

    `answers` are by URL, given from `there_after_s` on: status and body. It ends by itself after
    `ends_after_s`, with `exit_code`, or on the signals in `ends_on`.
    """

    answers: Mapping[str, tuple[int, str]] = field(default_factory=lambda: {HEALTHY: (200, "ok")})
    there_after_s: float = 1.0
    ends_after_s: float = 1e9
    exit_code: int = 0
    ends_on: Mapping[str, int] = field(default_factory=lambda: {"SIGTERM": 143})
    check: EngineCheck | None = None
    processes: str = "Name:\tserve\nPid:\t1\nPPid:\t0\nUid:\t1000\t1000\nGid:\t1000\t1000\n"
    log: str = ""
    written: tuple[tuple[str, bool], ...] = ()
    refuses: str = ""


@dataclass
class FakeRuntime:
    """Plays containers; `confined` are those that were asked for, `left` how many are there."""

    life: Life = field(default_factory=Life)
    now_s: float = 0.0
    confined: list[Confined] = field(default_factory=list)
    left: int = 0
    interrupted: bool = False

    @contextmanager
    def container(self, confined: Confined) -> Iterator[FakeContainer]:
        self.confined.append(confined)
        self.left += 1
        try:
            yield FakeContainer(self)
        finally:
            self.left -= 1

    def clock(self) -> float:
        return self.now_s


class FakeContainer:
    """A container that is played."""

    def __init__(self, runtime: FakeRuntime) -> None:
        self._runtime, self._life = runtime, runtime.life
        self._begun_s = 0.0
        self._ended: int | None = 0

    def start(self) -> None:
        if self._life.refuses:
            raise OrchError(self._life.refuses)
        self._begun_s, self._ended = self._runtime.now_s, None

    def pause(self, seconds: float) -> None:
        if self._runtime.interrupted:
            raise InterruptedByUserError("interrupted")
        self._runtime.now_s += seconds

    def state(self) -> ContainerState:
        age_s = self._runtime.now_s - self._begun_s
        if self._ended is None and age_s > self._life.ends_after_s:
            self._ended = self._life.exit_code
        if self._ended is not None:
            return ContainerState(is_running=False, exit_code=self._ended)
        check = self._life.check
        if check is None:
            return ContainerState(is_running=True)
        checks = tuple(replace(check, started=str(second)) for second in range(int(age_s)))[-5:]
        is_healthy = bool(checks) and not check.exit_code
        return ContainerState(is_running=True, is_healthy=is_healthy, checks=checks)

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        if not self.state().is_running:
            return 127, "it does not run"
        if not command[-1].startswith("http"):
            return 0, self._life.processes
        is_there = self._runtime.now_s - self._begun_s >= self._life.there_after_s
        if not is_there or command[-1] not in self._life.answers:
            return 1, "connection refused"
        status, body = self._life.answers[command[-1]]
        return 0, f"{status}\n{body}"

    def log(self) -> str:
        return self._life.log

    def signal(self, name: str) -> None:
        if not self.state().is_running:
            raise OrchError("it does not run")
        self._ended = self._life.ends_on.get(name)

    def written(self) -> tuple[tuple[str, bool], ...]:
        return self._life.written


def tried(**more: Any) -> Tried:
    """Return how a service with a Python in it is tried."""
    usual = Tried(Confined("api", "orch.local/api:1"), CONFIG, Prober("python", "/py", "/bin/sh"))
    return replace(usual, **more)
