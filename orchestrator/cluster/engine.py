"""The engine of a build on a cluster: all jobs are Dask's from the start, with what each waits for.

Dask decides where and when each is done, does those of lost workers again, and shows its
dashboard. Here their results are waited for, image by image.
"""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.cluster.attendance import ANY_WORKER
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

_LOOK_EVERY_S = 2.0


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
        self._needs: dict[str, Mapping[str, float]] = {}
        self._began: dict[str, float] = {}
        self._timings: dict[str, Timing] = {}
        self._lock = threading.Lock()
        self._is_taken_back = False
        self._attendance = cluster.attendance()

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
            self._needs[name] = resources_of(step, settings)
            self._futures[name] = client.submit(
                run_job,
                job,
                files,
                *(self._futures[one] for one in graph.parents[name] if one in self._futures),
                key=f"{name}-{self._run}",
                priority=priorities[name],
                resources=self._needs[name] or None,
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
        self._is_taken_back = True
        with self._lock:
            futures = list(self._futures.values())
        self._cluster.cancel(futures)
        self._cluster.run(stop_jobs, self._run)

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
        from distributed.scheduler import (  # noqa: PLC0415 - slow to import
            KilledWorker,
            NoValidWorkerError,
        )

        try:
            return self._awaited(name)
        except KilledWorker as error:
            raise OrchError(
                f"{error.allowed_failures + 1} workers were lost while they built it",
                hint="the workers' logs say why; where memory ran out, --jobs 1 needs less",
            ) from error
        except NoValidWorkerError as error:  # the scheduler has less patience
            raise self._deserted(error.resource_restrictions or ()) from error
        except concurrent.futures.CancelledError:
            if self._is_taken_back:
                raise
            raise MissingToolError(
                f"the scheduler at {self._cluster.address} was lost",
                hint="what is complete is kept: run it again",
            ) from None

    def _awaited(self, name: str) -> Result:
        """Wait for a job as long as there are workers that may do it."""
        while True:
            try:
                result: Result = self._futures[name].result(_LOOK_EVERY_S)
            except TimeoutError:
                if missing := self._attendance.missing((ANY_WORKER, *self._needs[name])):
                    raise self._deserted(missing) from None
            else:
                return result

    def _deserted(self, missing: Collection[str]) -> MissingToolError:
        who = f"no worker of the cluster at {self._cluster.address}"
        is_left = missing and ANY_WORKER not in missing
        return MissingToolError(
            f"{who} offers {next(iter(missing))}=1 any more" if is_left else f"{who} is left",
            hint="what is complete is kept: start workers, and run it again",
        )

    def _take_back(self) -> None:
        self._is_taken_back = True
        with self._lock:
            waiting = [at for name, at in self._futures.items() if name not in self._began]
        self._cluster.cancel(waiting)

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
