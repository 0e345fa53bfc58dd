"""Doing one thing to many items at once, with the first failure stopping what has not begun."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from orchestrator.errors import OrchError

T = TypeVar("T")
R = TypeVar("R")


class _NotBegunError(Exception):
    """Another item failed before this one was begun."""


@dataclass(slots=True)
class Done(Generic[T, R]):
    """Results and errors by item; what was not begun is in neither."""

    results: dict[T, R] = field(default_factory=dict)
    errors: dict[T, OrchError] = field(default_factory=dict)

    def raise_first(self) -> dict[T, R]:
        """Return the results of items that all went well.

        Raises:
            OrchError: The first error, in the order of the items.
        """
        for error in self.errors.values():
            raise error
        return self.results


class Crew:
    """Threads that work on items; `stop` is called when the user interrupts."""

    def __init__(self, jobs: int, stop: Callable[[], None]) -> None:
        self.was_stopped = False
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="push")
        self._stop = stop

    def each(
        self, work: Callable[[T], R], items: Iterable[T], *, keep_going: bool = False
    ) -> Done[T, R]:
        """Work on items, several at once; an error stops those not begun, or `keep_going`.

        Raises:
            KeyboardInterrupt: The user interrupted; what ran has been given up.
        """
        failed = threading.Event()

        def begin(item: T) -> R:
            if failed.is_set() and not keep_going:
                raise _NotBegunError
            try:
                return work(item)
            except BaseException:
                failed.set()
                raise

        futures = {item: self._pool.submit(begin, item) for item in items}
        try:
            wait(futures.values())
        except KeyboardInterrupt:
            self.stop()
            raise
        done: Done[T, R] = Done()
        for item, future in futures.items():
            error = future.exception()
            if isinstance(error, _NotBegunError):
                continue
            if isinstance(error, OrchError):
                done.errors[item] = error
            elif error is not None:
                raise error
            else:
                done.results[item] = future.result()
        return done

    def stop(self) -> None:
        """Give up what runs and what has not begun; afterwards nothing more happens."""
        self.was_stopped = True
        self._stop()
        self.close()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
