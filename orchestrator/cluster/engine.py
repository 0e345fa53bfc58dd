"""The engine of a build on a cluster: all jobs are Dask's from the start, with what each waits for.

Dask decides where and when each is done, does those of lost workers again, and shows its
dashboard. Here their results are waited for, image by image.
"""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.cluster.client import Cluster, resources_of
from orchestrator.cluster.job import Job, Result, run_job, stop_jobs, topic_of
from orchestrator.cluster.parcel import Parcel
from orchestrator.errors import MissingToolError, OrchError, UnavailableError
from orchestrator.graph import Graph
from orchestrator.model import Settings
from orchestrator.oci.layer import Layer
from orchestrator.plan import Step
from orchestrator.ports import Made, Observer, Outcome

if TYPE_CHECKING:
    from distributed import Future


@dataclass(frozen=True, slots=True)
class Timing:
    """When a job began, by the monotonic clock, and what it took."""

    began_s: float
    duration_s: float
    attempts: int


class ClusterEngine:
    """Gives all steps of a plan to a cluster. Threads share one; `say` takes notes of jobs.

    With `fail_fast`, what has not begun is taken back when a job fails.
    """

    def __init__(
        self,
        cluster: Cluster,
        run: str,
        observer: Observer,
        say: Callable[[Sequence[str]], None],
        keep_log: Callable[[str, str], None],
        *,
        fail_fast: bool = False,
    ) -> None:
        self._cluster = cluster
        self._run = run
        self._observer = observer
        self._say = say
        self._keep_log = keep_log
        self._fail_fast = fail_fast
        self._futures: dict[str, Future[Result]] = {}
        self._steps: dict[str, Step] = {}
        self._began: dict[str, float] = {}
        self._timings: dict[str, Timing] = {}
        self._lock = threading.Lock()
        self._is_stopped = False

    def submit(
        self,
        jobs: Sequence[tuple[Step, Job]],
        parcel: Parcel,
        graph: Graph,
        settings: Settings,
        priorities: Mapping[str, float],
    ) -> None:
        """Give jobs to the cluster, parents first as they come; what weighs more goes first."""
        client = self._cluster.client
        client.subscribe_topic(topic_of(self._run), self._note_begin)
        files = client.submit(Parcel, parcel.data, parcel.digest, key=f"files-{self._run}")
        for step, job in jobs:
            name = step.image.name
            self._steps[name] = step
            self._futures[name] = client.submit(
                run_job,
                job,
                files,
                *(self._futures[one] for one in graph.parents[name] if one in self._futures),
                key=f"{name}-{self._run}",
                priority=priorities[name],
                resources=resources_of(step, settings) or None,
            )

    def build(self, step: Step, parents: Mapping[str, str]) -> Made:  # noqa: ARG002 - as others
        """Wait for a job, and return what came of it.

        Raises:
            CancelledError: It was taken back.
            OrchError: It failed.
        """
        name = step.image.name
        result = self._result(name)
        with self._lock:
            self._futures.pop(name)  # nobody here wants it again, should its worker be lost
            began_s = self._began.get(name, time.monotonic())
        duration_s = float(result.get("duration_s", 0.0))
        self._timings[name] = Timing(began_s, duration_s, int(result.get("attempts", 1)))
        self._say(result.get("notes", ()))
        if result.get("log"):
            self._keep_log(name, result["log"])
        error = result.get("error") or {}
        if result.get("digest"):
            return made_of(result)
        if result.get("status") in {"cancelled", None}:
            raise concurrent.futures.CancelledError
        if self._fail_fast:
            self._take_back()
        kind = UnavailableError if result["status"] == "unavailable" else OrchError
        raise kind(error.get("message") or result.get("because", ""), hint=error.get("hint", ""))

    def stop(self) -> None:
        """Take back what has not begun, and end what has."""
        self._is_stopped = True
        with self._lock:
            futures = list(self._futures.values())
        self._cluster.client.cancel(futures)
        self._cluster.client.run(stop_jobs, self._run, on_error="ignore")

    def timed(self, outcome: Outcome) -> Outcome:
        """Return an outcome with the times of its job, without those of waiting for a worker."""
        timing = self._timings.get(outcome.step.image.name)
        if timing is None:
            return outcome
        return replace(
            outcome,
            started_s=timing.began_s,
            duration_s=timing.duration_s,
            attempts=timing.attempts,
        )

    def _result(self, name: str) -> Result:
        from distributed.scheduler import KilledWorker  # noqa: PLC0415 - slow to import

        try:
            result: Result = self._futures[name].result()
        except KilledWorker as error:
            raise OrchError(
                f"{error.allowed_failures + 1} workers were lost while they built it",
                hint="the workers' logs say why; where memory ran out, --jobs 1 needs less",
            ) from error
        except concurrent.futures.CancelledError:
            if self._is_stopped or self._fail_fast:
                raise
            raise MissingToolError(
                f"the scheduler at {self._cluster.address} was lost",
                hint="what is complete is kept: run it again",
            ) from None
        return result

    def _take_back(self) -> None:
        with self._lock:
            waiting = [at for name, at in self._futures.items() if name not in self._began]
        self._cluster.client.cancel(waiting)

    def _note_begin(self, event: tuple[float, dict[str, Any]]) -> None:
        """Take note that a job began; one of a lost worker does so again."""
        name = event[1]["image"]
        with self._lock:
            is_first = name not in self._began
            self._began[name] = time.monotonic()
        if is_first:
            self._observer.started(self._steps[name])


def made_of(result: Result) -> Made:
    """Return what a job made, as its result has it."""
    rows = result["layers"]
    layers = tuple(
        Layer(row["digest"], row["diff_id"], row["size_bytes"], row["unpacked_bytes"], row["what"])
        for row in rows
    )
    reused = frozenset(row["digest"] for row in rows if row["reused"])
    return Made(result["digest"], result["size_bytes"], result["unpacked_bytes"], layers, reused)
