"""The parts a service depends on, and whether each is ready. Plain Python, no framework."""

from __future__ import annotations

import threading
import time
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


ANSWER_WITHIN_S = 3.0
"""How long a check may take; one that takes longer, for a name server perhaps, is not ready."""


class Components:
    """A service's components in the order they were added; each is asked anew every time."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._asked: dict[str, _Question] = {}

    def add(self, name: str, check: Check) -> None:
        """Add a component; a name can be taken once."""
        if name in self._checks:
            raise ValueError(f"component {name!r} exists already")
        self._checks[name] = check

    def statuses(self) -> Mapping[str, Status]:
        """Ask every component, all at the same time.

        One whose check raises is not ready, for that reason; one that does not answer in time is
        not ready, and is not asked again before it has answered.
        """
        for name, check in self._checks.items():
            question = self._asked.get(name)
            if question is None or question.answered.is_set():
                self._asked[name] = _Question(check)
        deadline = time.monotonic() + ANSWER_WITHIN_S
        return {name: self._asked[name].status(deadline) for name in self._checks}

    def report(self) -> tuple[bool, dict[str, object]]:
        """Return whether all are ready, and the body of the answer that says so."""
        statuses = self.statuses()
        ready = all(status.ready for status in statuses.values())
        body = {
            name: {"ready": status.ready, "detail": status.detail}
            for name, status in statuses.items()
        }
        return ready, {"status": "ready" if ready else "not ready", "components": body}


class _Question:
    """A check that is under way in a thread of its own, which nobody waits for at the end."""

    def __init__(self, check: Check) -> None:
        self.answered = threading.Event()
        self._status = waiting(f"no answer within {ANSWER_WITHIN_S:g} s")
        threading.Thread(target=self._ask, args=(check,), daemon=True).start()

    def status(self, deadline: float) -> Status:
        """Return the answer, or that there was none before the deadline (monotonic clock)."""
        self.answered.wait(max(0.0, deadline - time.monotonic()))
        return self._status

    def _ask(self, check: Check) -> None:
        try:
            self._status = check()
        except Exception as error:
            self._status = waiting(f"{type(error).__name__}: {error}")
        self.answered.set()
