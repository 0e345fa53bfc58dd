"""Running a plan: ready, run, finish. Bounded; a failure stops only its dependents."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator import logs
from orchestrator.errors import InterruptedByUserError, OrchError, UnavailableError, disk_error
from orchestrator.graph import Graph
from orchestrator.plan import Action, Plan, Step
from orchestrator.ports import Engine, Made, Observer, Outcome, Status

_POLL_S = 0.5


@dataclass(slots=True)
class Run:
    """A plan being run: what is settled, in the order it was settled."""

    plan: Plan
    graph: Graph
    engine: Engine
    observer: Observer
    record: Callable[[Outcome], None]
    fail_fast: bool = False
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    stopping: bool = False
    interrupted: bool = False

    def run(self, jobs: int) -> dict[str, Outcome]:
        """Run every step that builds, up to `jobs` at once; return outcomes in plan order.

        A step begins when those it stands on are settled. A first `KeyboardInterrupt` stops the
        engine, cancels what has not begun and is not raised again: the caller sees it by the
        cancelled outcomes. A second one is raised.
        """
        running: dict[Future[Outcome], Step] = {}
        waiting = list(self.plan.steps.values())
        with ThreadPoolExecutor(jobs, thread_name_prefix="step") as pool:
            while waiting or running:
                try:
                    waiting = self._start_ready(waiting, running, pool, jobs)
                    done, _ = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._settle(future.result())  # first: an interrupt here loses no outcome
                        running.pop(future)
                except KeyboardInterrupt:
                    if self.interrupted:
                        raise
                    self.stopping = self.interrupted = True
                    self.engine.stop()
        return {name: self.outcomes[name] for name in self.plan.steps}

    def _start_ready(
        self,
        waiting: list[Step],
        running: dict[Future[Outcome], Step],
        pool: ThreadPoolExecutor,
        jobs: int,
    ) -> list[Step]:
        """Settle or start what is ready, until nothing more becomes ready by that."""
        progress = True
        while progress:
            progress = False
            for step in list(waiting):
                parents = self.graph.parents[step.image.name]
                if any(p in self.plan.steps and p not in self.outcomes for p in parents):
                    continue
                settled = self._without_building(step)
                if settled:
                    self._settle(settled)
                elif len(running) < jobs:
                    running[pool.submit(self._build, step)] = step
                else:
                    continue
                waiting.remove(step)
                progress = True
        return waiting

    def _without_building(self, step: Step) -> Outcome | None:
        """Return the outcome of a step that is not to be built, or cannot be."""
        if step.action is Action.UNAVAILABLE:
            return Outcome(step, Status.UNAVAILABLE, step.reasons[0].detail)
        for parent in self.graph.parents[step.image.name]:
            if stopped := self._stopped_by(step, parent):
                return stopped
        if step.action is Action.REUSE:
            return Outcome(step, Status.REUSED)
        return Outcome(step, Status.CANCELLED, "the run was stopped") if self.stopping else None

    def _stopped_by(self, step: Step, parent: str) -> Outcome | None:
        outcome = self.outcomes.get(parent)
        if outcome is None or outcome.status in {Status.BUILT, Status.REUSED}:
            return None
        if outcome.status is Status.UNAVAILABLE:
            return Outcome(step, Status.UNAVAILABLE, f"{parent} is unavailable")
        if outcome.status is Status.CANCELLED:
            return Outcome(step, Status.CANCELLED, f"{parent} was cancelled")
        came_to = "failed" if outcome.status is Status.FAILED else "was skipped"
        return Outcome(step, Status.SKIPPED, f"{parent} {came_to}")

    def _build(self, step: Step) -> Outcome:
        self.observer.started(step)
        started = time.monotonic()
        made: Made | None = None
        failure: OrchError | None = None
        status, because = Status.BUILT, ", ".join(str(reason) for reason in step.reasons[:3])
        try:
            made = self.engine.build(step, self._parents(step))
        except (InterruptedByUserError, CancelledError):
            status, because = Status.CANCELLED, "the run was stopped"
        except UnavailableError as error:
            status, because, failure = Status.UNAVAILABLE, error.message, error
        except OrchError as error:
            status, because, failure = Status.FAILED, error.message, error
        except OSError as error:
            failure = disk_error(error, Path(str(error.filename or "a file of the cache")))
            status, because = Status.FAILED, failure.message
        except Exception as error:  # noqa: BLE001 - a fault in one image must not stop the others
            logs.event("fault", image=step.image.name, traceback=traceback.format_exc())
            failure = OrchError(f"{type(error).__name__}: {error}", hint="orch -v says where")
            status, because = Status.FAILED, failure.message
        duration_s = time.monotonic() - started
        return Outcome(step, status, because, made, started, duration_s, 1, failure)

    def _parents(self, step: Step) -> Mapping[str, str]:
        return {
            parent: self.outcomes[parent].digest
            for parent in self.graph.parents[step.image.name]
            if parent in self.outcomes
        }

    def _settle(self, outcome: Outcome) -> None:
        self.outcomes[outcome.step.image.name] = outcome
        logs.event(
            f"image.{outcome.status.value}",
            image=outcome.step.image.name,
            digest=outcome.digest,
            because=outcome.because,
            duration_s=round(outcome.duration_s, 3),
        )
        if outcome.status is Status.BUILT:
            self.record(outcome)
        if outcome.status is Status.FAILED and self.fail_fast:
            self.stopping = True
        self.observer.finished(outcome)
