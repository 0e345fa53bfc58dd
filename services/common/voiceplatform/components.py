"""The parts a service depends on, and whether each is ready. Plain Python, no framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    """Whether a component is ready, and what it waits for if not."""

    ready: bool
    detail: str = ""


READY = Status(ready=True)


def waiting(detail: str) -> Status:
    """Return the status of a component that is not ready, and why."""
    return Status(ready=False, detail=detail)


Check = Callable[[], Status]


class Components:
    """A service's components in the order they were added; each is asked anew every time."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        """Add a component; a name can be taken once."""
        if name in self._checks:
            raise ValueError(f"component {name!r} exists already")
        self._checks[name] = check

    def statuses(self) -> Mapping[str, Status]:
        """Ask every component; one whose check raises is not ready, for that reason."""
        return {name: _ask(check) for name, check in self._checks.items()}

    def report(self) -> tuple[bool, dict[str, object]]:
        """Return whether all are ready, and the body of the answer that says so."""
        statuses = self.statuses()
        ready = all(status.ready for status in statuses.values())
        body = {
            name: {"ready": status.ready, "detail": status.detail}
            for name, status in statuses.items()
        }
        return ready, {"status": "ready" if ready else "not ready", "components": body}


def _ask(check: Check) -> Status:
    try:
        return check()
    except Exception as error:
        return waiting(f"{type(error).__name__}: {error}")
