"""Doing one thing to many items at once, with the first failure stopping what has not begun."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from orchestrator.errors import OrchError

T = TypeVar("T")
R = TypeVar("R")


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
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="push")
        self._stop = stop

    def each(
        self, work: Callable[[T], R], items: Iterable[T], *, keep_going: bool = False
    ) -> Done[T, R]:
        """Work on items, several at once; an error stops those not begun, or `keep_going`."""
        futures = {item: self._pool.submit(work, item) for item in items}
        try:
            if not keep_going:
                wait(futures.values(), return_when=FIRST_EXCEPTION)
                if any(future.done() and future.exception() for future in futures.values()):
                    for future in futures.values():
                        future.cancel()
            wait(futures.values())
        except KeyboardInterrupt:
            self._stop()
            for future in futures.values():
                future.cancel()
            raise
        done: Done[T, R] = Done()
        for item, future in futures.items():
            if future.cancelled():
                continue
            error = future.exception()
            if isinstance(error, OrchError):
                done.errors[item] = error
            elif error is not None:
                raise error
            else:
                done.results[item] = future.result()
        return done

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
