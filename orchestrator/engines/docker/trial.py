"""Containers that images are tried in: confined as deployments confine them, always removed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from orchestrator.engines.docker.engine import DockerEngine
from orchestrator.errors import InterruptedByUserError, MissingToolError, OrchError

LABEL = "io.orch.verify"
"""Label of every container that an image is tried in; its value is the image's name."""

_PROCESSES = 512
_SECOND_NS = 1_000_000_000
_NOT_RUN = 127


@dataclass(frozen=True, slots=True)
class Confined:
    """How an image is run: `image` by its tag in the engine, without a network.

    Without a `command` it is the image's own. `user` takes the place of the image's where given.
    """

    name: str
    image: str
    command: tuple[str, ...] = ()
    user: str = ""
    read_only: bool = True
    memory_bytes: int = 2 << 30
    check_every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineCheck:
    """A run of a container's healthcheck; `started` is when, as the engine writes it."""

    started: str
    exit_code: int
    output: str = ""


@dataclass(frozen=True, slots=True)
class ContainerState:
    """What an engine says of a container; it keeps the last few healthchecks."""

    is_running: bool
    exit_code: int = 0
    is_healthy: bool = False
    checks: tuple[EngineCheck, ...] = ()


class Trials:
    """Makes containers in an engine; threads share one, and `stop` ends what runs."""

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._running: set[Trial] = set()
        self._stopping = threading.Event()

    @contextmanager
    def container(self, confined: Confined) -> Iterator[Trial]:
        """Give a container that is made and not started; it is removed when the block ends.

        Raises:
            OrchError: The engine refuses.
            InterruptedByUserError: It was stopped.
        """
        with self._lock:  # made and known in one, so that none is left behind
            if self._stopping.is_set():
                raise InterruptedByUserError("interrupted")
            trial = Trial(self._engine, self._create(confined), self._stopping)
            self._running.add(trial)
        try:
            yield trial
        finally:
            trial.remove()
            with self._lock:
                self._running.discard(trial)

    def stop(self) -> None:
        """End all containers; whoever waits for one gets InterruptedByUserError."""
        self._stopping.set()
        with self._lock:
            for trial in self._running:
                with suppress(OrchError):
                    trial.signal("SIGKILL")

    def _create(self, confined: Confined) -> str:
        with self._engine.asking(f"creating a container of {confined.name}") as api:
            host = api.create_host_config(
                network_mode="none",
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                read_only=confined.read_only,
                tmpfs={"/tmp": "mode=1777"},  # noqa: S108 - in the container
                mem_limit=confined.memory_bytes,
                memswap_limit=confined.memory_bytes,
                pids_limit=_PROCESSES,
                log_config={"type": "json-file"},  # type: ignore[arg-type]
            )
            own: dict[str, Any] = {}
            if confined.command:
                own = {"entrypoint": [confined.command[0]], "command": list(confined.command[1:])}
            if confined.user:
                own["user"] = confined.user
            if confined.check_every_s:
                # What is 0 or not there stays as the image has it.
                own["healthcheck"] = {"interval": int(confined.check_every_s * _SECOND_NS)}
            made = api.create_container(
                confined.image, host_config=host, labels={LABEL: confined.name}, **own
            )
        return str(made["Id"])


class Trial:
    """One container."""

    def __init__(self, engine: DockerEngine, id_: str, stopping: threading.Event) -> None:
        self._engine = engine
        self._id = id_
        self._stopping = stopping

    def start(self) -> None:
        """Start it.

        Raises:
            OrchError: The engine refuses, for example because the command is not there.
        """
        with self._engine.asking("starting a container") as api:
            api.start(self._id)

    def pause(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            InterruptedByUserError: All was stopped meanwhile.
        """
        if self._stopping.wait(seconds):
            raise InterruptedByUserError("interrupted")

    def state(self) -> ContainerState:
        """Ask how it is.

        Raises:
            OrchError: The engine does not say.
        """
        with self._engine.asking("looking at a container") as api:
            state: dict[str, Any] = api.inspect_container(self._id)["State"]
        health = state.get("Health") or {}
        checks = tuple(
            EngineCheck(str(row["Start"]), int(row["ExitCode"]), str(row["Output"]).strip())
            for row in health.get("Log") or ()
        )
        is_healthy = health.get("Status") == "healthy"
        return ContainerState(bool(state["Running"]), int(state["ExitCode"]), is_healthy, checks)

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        """Run a command in it, as its user; return the exit code, 127 where it cannot run.

        Raises:
            MissingToolError: The engine does not answer any more.
        """
        try:
            with self._engine.asking("running a command in a container") as api:
                made = api.exec_create(self._id, list(command))
                said: bytes = api.exec_start(made["Id"])
                code = api.exec_inspect(made["Id"])["ExitCode"]
        except MissingToolError:
            raise
        except OrchError as error:  # it has ended, or has no such program
            return _NOT_RUN, error.message
        return int(_NOT_RUN if code is None else code), said.decode("utf-8", "replace")

    def log(self) -> str:
        """Return what it wrote to its outputs.

        Raises:
            OrchError: The engine does not say.
        """
        with self._engine.asking("reading a container's log") as api:
            said: bytes = api.logs(self._id)
        return said.decode("utf-8", "replace")

    def signal(self, name: str) -> None:
        """Send its first process a signal.

        Raises:
            OrchError: It does not run.
        """
        with self._engine.asking("ending a container") as api:
            api.kill(self._id, name)

    def written(self) -> tuple[tuple[str, bool], ...]:
        """Return what differs from its image: paths, and whether each was there before.

        Raises:
            OrchError: The engine does not say.
        """
        with self._engine.asking("comparing a container with its image") as api:
            rows: list[dict[str, Any]] = api.diff(self._id) or []
        return tuple((str(row["Path"]), row["Kind"] == 0) for row in rows)

    def remove(self) -> None:
        """Remove it, running or not.

        Raises:
            OrchError: The engine refuses.
        """
        with self._engine.asking("removing a container") as api:
            api.remove_container(self._id, v=True, force=True)
