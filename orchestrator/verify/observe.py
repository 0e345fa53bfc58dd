"""Running an image in containers, and writing down what they show. Nothing is judged here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from orchestrator.engines.docker.trial import Confined, ContainerState, EngineCheck
from orchestrator.errors import OrchError
from orchestrator.verify.loading import load_all
from orchestrator.verify.observed import Answer, Check, Observed, Service, Stop
from orchestrator.verify.probes import Prober
from orchestrator.verify.runtime import Container, Runtime

START_WITHIN_S = 30.0
"""How long a service may take to start where its recipe does not say."""
STOP_WITHIN_S = 10.0
"""What Docker and Kubernetes' users wait for, or less, before they kill."""

_CHECK_EVERY_S = 1.0
_CHECKS = 3
"""As many checks that fail, once the service is there, are a healthcheck that fails."""
_HEALTHY_WITHIN_S = 30.0
_SETTLED_S = 3.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _LONGER = 0.1, 1.0, 1.3
_URL = re.compile(r"https?://[^\s\"']+")
_NOT_OURS = re.compile(
    r"/(?:tmp|dev|proc|sys)(?:/.*)?|/run|/etc/(?:hosts|hostname|resolv\.conf|mtab)"
    r"|.*/__pycache__(?:/.*)?"
)
"""Paths that engines put there; and bytecode, which Python does without where it may not write."""


@dataclass(frozen=True, slots=True)
class Tried:
    """An image as it is tried: its tag in the engine, and what the rest is to know of it.

    `projects` are Python projects to import, `libraries` names of shared ones to load; `user`
    runs these where the image names none but root. Only a service is started.
    """

    confined: Confined
    config: Mapping[str, Any]
    prober: Prober
    is_service: bool = True
    read_only: bool = True
    start_within_s: float = START_WITHIN_S
    projects: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    user: str = ""


def observe(runtime: Runtime, tried: Tried, clock: Callable[[], float]) -> Observed:
    """Run an image, once for each thing that is to be seen.

    Raises:
        OrchError: The engine does not do as it is told.
    """
    service, written = None, None
    if tried.is_service and (tried.config.get("Entrypoint") or tried.config.get("Cmd")):
        service = observe_service(runtime, tried, clock)
        if tried.read_only:
            written = observe_writes(runtime, tried, clock)
    loaded = None
    if tried.prober.kind == "python" and (tried.projects or tried.libraries):
        confined = replace(tried.confined, user=tried.user)
        python = tried.prober.program
        loaded = load_all(runtime, confined, python, tried.projects, tried.libraries)
    return Observed(service, written, loaded)


def observe_service(runtime: Runtime, tried: Tried, clock: Callable[[], float]) -> Service:
    """Start a service, ask how it is, and stop it.

    Raises:
        OrchError: The engine does not do as it is told.
    """
    confined = replace(
        tried.confined, read_only=tried.read_only, check_every_s=_check_every_s(tried.config)
    )
    with runtime.container(confined) as container:
        service = _start(container, tried, clock)
        if service.started_s is not None:
            service = _look(container, tried, service, clock)
        service = replace(service, log=container.log())
        if service.exit_code is not None:
            return service
        if not (state := container.state()).is_running:
            return replace(service, exit_code=state.exit_code)
        return replace(service, stop=_stop(container, tried.config, clock))


def observe_writes(
    runtime: Runtime, tried: Tried, clock: Callable[[], float]
) -> tuple[str, ...] | None:
    """Start a service where it may write anywhere; return the paths outside /tmp that it wrote.

    None where it does not start there either.

    Raises:
        OrchError: The engine does not do as it is told.
    """
    with runtime.container(replace(tried.confined, read_only=False)) as container:
        if _start(container, tried, clock).started_s is None:
            return None
        rows = container.written()
    own = {str(tried.config.get("WorkingDir", ""))}
    own |= {path for path, was_there in rows if was_there and _has_below(path, rows)}
    return tuple(path for path, _ in rows if path not in own and not _NOT_OURS.fullmatch(path))


def _has_below(path: str, rows: tuple[tuple[str, bool], ...]) -> bool:
    """Tell whether a path is a folder of which only something in it differs."""
    return any(other.startswith(f"{path}/") for other, _ in rows)


def health_url(config: Mapping[str, Any]) -> str:
    """Return where a service says that it is there, or nothing.

    That is the path that its healthcheck asks for, or /health, on the first TCP port that the
    image exposes: a healthcheck may name the wrong one.
    """
    ports = sorted(config.get("ExposedPorts") or (), key=lambda port: int(port.split("/")[0]))
    exposed = [port.split("/")[0] for port in ports if not port.endswith("/udp")]
    found = _URL.search(" ".join((config.get("Healthcheck") or {}).get("Test") or ()))
    path, port = "/health", exposed[0] if exposed else ""
    with suppress(ValueError):  # whatever the healthcheck does with that
        asked = urlsplit(found[0] if found else "")
        path, port = (asked.path or "/") if found else path, port or str(asked.port or "")
    return f"http://127.0.0.1:{port}{path}" if port else ""


def _check_every_s(config: Mapping[str, Any]) -> float:
    test = (config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    return 0.0 if test[0] == "NONE" else _CHECK_EVERY_S


def _start(container: Container, tried: Tried, clock: Callable[[], float]) -> Service:
    """Start it, and wait until it is there, has ended, or takes too long."""
    url = health_url(tried.config) if tried.prober.kind else ""
    path = urlsplit(url).path or "/health"
    service = Service(url, None, tried.start_within_s, tried.prober.kind, path)
    try:
        container.start()
    except OrchError as error:
        return replace(service, exit_code=127, last=Answer(0, error.message))
    begun, pause_s = clock(), _FIRST_PAUSE_S
    while True:
        answer = tried.prober.ask(container, url) if url else Answer(0)
        took_s, state = clock() - begun, container.state()
        if _is_there(answer, url, state, took_s, tried):
            return replace(service, started_s=took_s, last=answer)
        if not state.is_running:
            return replace(service, exit_code=state.exit_code, last=answer)
        if took_s > tried.start_within_s:
            return replace(service, last=answer)
        container.pause(pause_s)
        pause_s = min(pause_s * _LONGER, _LONGEST_PAUSE_S)


def _is_there(answer: Answer, url: str, state: ContainerState, took_s: float, tried: Tried) -> bool:
    """Tell whether a service has started: it answers, is healthy, or stays if it says neither."""
    if url:
        return answer.status == 200
    if not state.is_running:
        return False
    return state.is_healthy if _check_every_s(tried.config) else took_s > _SETTLED_S


def _look(
    container: Container, tried: Tried, service: Service, clock: Callable[[], float]
) -> Service:
    """Ask a service that is there all that there is to ask."""
    if service.url:
        root = service.url.removesuffix(service.health_path)
        service = replace(
            service,
            health=tried.prober.ask(container, f"{root}/health"),
            ready=tried.prober.ask(container, f"{root}/health/ready"),
        )
    service = replace(service, processes=tried.prober.list_processes(container))
    if not _check_every_s(tried.config):
        return service
    state = _await_checks(container, clock)
    checks = tuple(Check(row.exit_code, row.output) for row in state.checks)
    return replace(service, checks=checks, is_healthy=state.is_healthy)


def _await_checks(container: Container, clock: Callable[[], float]) -> ContainerState:
    """Wait until the engine calls a container healthy, or has checked it several times in vain.

    Checks that failed while it started do not count.
    """
    state, begun = container.state(), clock()
    seen = set(state.checks)
    failures: set[EngineCheck] = set()
    while state.is_running and not state.is_healthy and clock() - begun < _HEALTHY_WITHIN_S:
        failures |= {check for check in state.checks if check.exit_code} - seen
        if len(failures) >= _CHECKS:
            break
        container.pause(_LONGEST_PAUSE_S / 2)
        state = container.state()
    return state


def _stop(container: Container, config: Mapping[str, Any], clock: Callable[[], float]) -> Stop:
    signal = str(config.get("StopSignal") or "SIGTERM")
    begun = clock()
    with suppress(OrchError):  # it ended just now
        container.signal(signal)
    while (state := container.state()).is_running and clock() - begun < STOP_WITHIN_S:
        container.pause(_FIRST_PAUSE_S)
    code = None if state.is_running else state.exit_code
    return Stop(signal, STOP_WITHIN_S, clock() - begun, code)
