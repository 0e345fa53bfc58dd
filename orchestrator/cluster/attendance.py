"""Whether a cluster still has workers for what waits: Dask itself would wait for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

ANY_WORKER = ""
"""What every worker offers."""

_ASK_EVERY_S = 2.0


class Attendance:
    """What workers offer, and since when nobody offers it. Threads share one.

    `ask` gives what is offered now; it is called rarely however often it is asked here.
    """

    def __init__(
        self,
        ask: Callable[[], Iterable[str]],
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._patience_s = patience_s
        self._clock = clock
        self._asked_s = self._began_s = clock()
        self._seen_s: dict[str, float] = {}
        self._lock = threading.Lock()

    def missing(self, wanted: Iterable[str]) -> tuple[str, ...]:
        """Return what of it nobody has offered for so long that nobody will."""
        with self._lock:
            now_s = self._clock()
            if now_s - self._asked_s >= _ASK_EVERY_S:
                self._seen_s |= dict.fromkeys(self._ask(), now_s)
                self._asked_s = now_s
            limit_s = self._asked_s - self._patience_s
            return tuple(one for one in wanted if self._seen_s.get(one, self._began_s) <= limit_s)
