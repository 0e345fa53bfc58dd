"""What a container of an image showed: facts, which the gates judge."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Process:
    """A process in a container, and the numbers of its user and group as it sees them there."""

    pid: int
    uid: int
    gid: int
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking a URL; `status` 0 is no answer, and `body` says why."""

    status: int
    body: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A run of the image's own healthcheck, by the engine."""

    exit_code: int
    output: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """How it ended on its stop signal; `exit_code` None is that it had to be killed."""

    signal: str
    within_s: float
    took_s: float
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class Service:
    """A service's life in a container.

    `url` is what was asked, empty where there is nothing to ask; `started_s` how long until it
    was there, None if it never was. `exit_code` is set where it ended by itself. `asked_with` is
    the program in the image that asked, empty where it has none. `health_path` is the path that
    said when it was there.
    """

    url: str
    started_s: float | None
    within_s: float
    asked_with: str = ""
    health_path: str = "/health"
    exit_code: int | None = None
    last: Answer = Answer(0)
    health: Answer | None = None
    ready: Answer | None = None
    checks: tuple[Check, ...] = ()
    is_healthy: bool = False
    processes: tuple[Process, ...] = ()
    log: str = ""
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of importing packages and loading libraries: what failed, and why.

    `ended` says how it went where it did not come to its end.
    """

    packages: int = 0
    libraries: int = 0
    bad_packages: tuple[tuple[str, str], ...] = ()
    bad_libraries: tuple[tuple[str, str], ...] = ()
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """All that containers of an image showed.

    `written` are paths, None where no container was run that may write. `loaded` is None without
    a Python to load with.
    """

    service: Service | None = None
    written: tuple[str, ...] | None = None
    loaded: Loaded | None = None
