"""Images on trial: read off the layout, and run in Docker where there is one."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace

from orchestrator.app.opened import Opened
from orchestrator.app.remote import RemoteLayers
from orchestrator.engines.docker.engine import DockerEngine
from orchestrator.engines.docker.exchange import Exchange
from orchestrator.engines.docker.trial import Confined, Trials
from orchestrator.errors import MissingToolError
from orchestrator.lockfile import Lock
from orchestrator.plan import Step
from orchestrator.state import State
from orchestrator.verify.config_gates import ids_of_user
from orchestrator.verify.contents import stack_layers
from orchestrator.verify.gate import Former, Subject
from orchestrator.verify.layers import LayerReader
from orchestrator.verify.linker import shared_libraries
from orchestrator.verify.observe import START_WITHIN_S, Tried, observe
from orchestrator.verify.probes import find_prober

_NOBODY = "65534:65534"
"""Whom imports run as where an image leaves it to others to say who it runs as."""


class Bench:
    """Reads images and runs them; threads share one.

    `no_engine` says why none is run, where that is so.
    """

    def __init__(self, opened: Opened, lock: Lock, memory_bytes: int) -> None:
        self.engine, self.no_engine = "", "--runtime none"
        self._opened = opened
        self._lock = lock
        self._memory_bytes = memory_bytes
        self._remote = RemoteLayers(opened)
        self._reader = LayerReader(self._remote.path)
        self._state = State(opened.paths.database)
        self._trials: Trials | None = None
        self._exchange: Exchange | None = None
        self._runs = ""

    def open_engine(self, resources: ExitStack, *, needed: bool) -> None:
        """Connect to Docker; `resources` ends that.

        Raises:
            MissingToolError: It is needed and does not answer.
        """
        try:
            engine = DockerEngine()
        except MissingToolError as error:
            if needed:
                raise
            self.no_engine = error.message
            return
        resources.callback(engine.close)
        version = engine.version()
        self.engine, self._runs = version.version, version.platform
        self._trials = Trials(engine)
        self._exchange = Exchange(engine, self._remote.layout)
        self.no_engine = ""

    def stop(self) -> None:
        """End all containers."""
        if self._trials is not None:
            self._trials.stop()

    def subject(self, step: Step) -> Subject:
        """Return an image with all that is to be known of it.

        Raises:
            OrchError: Its layers cannot be had, or the engine does not do as it is told.
        """
        self._remote.complete(step.digest)
        layers, config = self._remote.layout.read_image(step.digest)
        contents = stack_layers(self._reader.read(layer.digest) for layer in layers)
        chain = self._opened.graph.chain(step.image.name)
        former = self._state.last_passed(step.image.name, step.platform.key, step.digest)
        subject = Subject(
            step.image,
            step.platform,
            step.digest,
            tuple(layers),
            config,
            contents,
            venv=self._opened.workspace.settings.python.venv,
            optional_libraries=tuple(
                name for image in chain for name in image.recipe.optional_libraries
            ),
            fetched=tuple(f.target for image in chain for f in image.recipe.fetches),
            former=Former(*former) if former else None,
        )
        subject = replace(subject, locked=self._projects(subject))
        return self._tried(subject)

    def _projects(self, subject: Subject) -> tuple[str, ...]:
        """Return the Python projects that an image is to have, or where no lock says so, has."""
        key = subject.platform
        chain = self._opened.graph.chain(subject.image.name)
        adds = [self._lock.images.get((image.name, key)) for image in chain if image.is_locked]
        locked = {wheel.name for item in adds if item for wheel in item.wheels}
        here = {wheel.name for wheel in subject.contents.wheels}
        return tuple(sorted(locked or here))

    def _tried(self, subject: Subject) -> Subject:
        if self._trials is None or self._exchange is None:
            return replace(subject, unobserved=self.no_engine)
        if self._runs != subject.platform.key:
            why = f"the Docker engine runs {self._runs}, not {subject.platform}"
            return replace(subject, unobserved=why)
        tag = self._exchange.to_engine(subject.image.name, subject.digest)
        confined = Confined(subject.image.name, tag, memory_bytes=self._memory_bytes)
        observed = observe(self._trials, self._plan(subject, confined), time.monotonic)
        return replace(subject, observed=observed)

    def _plan(self, subject: Subject, confined: Confined) -> Tried:
        ids = ids_of_user(subject)
        return Tried(
            confined,
            subject.config,
            find_prober(subject.contents, subject.venv),
            is_service=subject.is_service,
            read_only=subject.gates.read_only,
            start_within_s=subject.gates.start_within_s or START_WITHIN_S,
            projects=subject.locked,
            libraries=tuple(shared_libraries(subject.contents, subject.platform)),
            user=_NOBODY if ids is not None and ids[0] == 0 else "",
        )
