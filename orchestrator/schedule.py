"""Running a plan: ready, run, finish. Bounded; a failure stops only its dependents."""

from __future__ import annotations

import heapq
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from orchestrator import logs
from orchestrator.errors import InterruptedByUserError, OrchError, UnavailableError, disk_error
from orchestrator.graph import Graph
from orchestrator.plan import Action, Plan, Step
from orchestrator.ports import Engine, Made, Observer, Outcome, Status

_POLL_S = 0.5
_BACKOFF_S = 2.0


@dataclass(slots=True)
class Run:
    """A plan being run: what is settled, in the order it was settled.

    `durations` are those of earlier builds, in seconds: what the longest chain of builds hangs
    on begins first. `retries` is how often a step is tried again after a fault that may pass.
    """

    plan: Plan
    graph: Graph
    engine: Engine
    observer: Observer
    record: Callable[[Outcome], None]
    fail_fast: bool = False
    durations: Mapping[str, float] = field(default_factory=dict)
    retries: int = 0
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    stopping: bool = False
    interrupted: bool = False
    _stopped: threading.Event = field(default_factory=threading.Event)
    _unsettled: dict[str, int] = field(default_factory=dict)
    _ready: list[tuple[float, int, Step]] = field(default_factory=list)
    _order: dict[str, tuple[float, int]] = field(default_factory=dict)

    def run(self, recipes: int, dockerfiles: int = 0) -> dict[str, Outcome]:
        """Run every step that builds; return outcomes in plan order.

        At once up to `recipes` of them are assembled, and as many `dockerfiles` are built, for
        which the work is done elsewhere; without a number of their own, as many as recipes.

        A step begins when those it stands on are settled. A first `KeyboardInterrupt` stops the
        engine, cancels what has not begun and is not raised again: the caller sees it by the
        cancelled outcomes. A second one is raised.
        """
        running: dict[Future[Outcome], Step] = {}
        room = {False: recipes, True: dockerfiles or recipes}
        self._order = heaviest_first(self.plan, self.graph, self.durations)
        for name, step in self.plan.steps.items():
            parents = self.graph.parents[name]
            self._unsettled[name] = sum(parent in self.plan.steps for parent in parents)
            if not self._unsettled[name]:
                self._push(step)
        with ThreadPoolExecutor(sum(room.values()), thread_name_prefix="step") as pool:
            while self._ready or running:
                try:
                    self._start_ready(running, pool, room)
                    done, _ = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._settle(future.result())  # first: an interrupt here loses no outcome
                        running.pop(future)
                except KeyboardInterrupt:
                    if self.interrupted:
                        raise
                    self.stopping = self.interrupted = True
                    self._stopped.set()
                    self.engine.stop()
        # An interrupt between two lines above may have lost what was just taken from the queue.
        return {
            name: self.outcomes.get(name) or Outcome(step, Status.CANCELLED, "the run was stopped")
            for name, step in self.plan.steps.items()
        }

    def _push(self, step: Step) -> None:
        heapq.heappush(self._ready, (*self._order[step.image.name], step))

    def _start_ready(
        self,
        running: dict[Future[Outcome], Step],
        pool: ThreadPoolExecutor,
        room: Mapping[bool, int],
    ) -> None:
        """Settle or start what is ready, until nothing more becomes ready by that.

        `room` is for how many steps there is, by whether a Dockerfile defines them.
        """
        busy = Counter(step.image.build is not None for step in running.values())
        held: list[tuple[float, int, Step]] = []
        while self._ready:
            item = heapq.heappop(self._ready)
            step = item[2]
            if step.image.name in self.outcomes:  # an interrupt came after it was settled
                continue
            if settled := self._without_building(step):
                self._settle(settled)
            elif busy[kind := step.image.build is not None] < room[kind]:
                busy[kind] += 1
                running[pool.submit(self._build, step)] = step
            else:
                held.append(item)
        for item in held:
            heapq.heappush(self._ready, item)

    def _without_building(self, step: Step) -> Outcome | None:
        """Return the outcome of a step that is not to be built, or cannot be."""
        if step.action is Action.UNAVAILABLE:
            return Outcome(step, Status.UNAVAILABLE, step.unavailable)
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
        logs.event("image.started", image=step.image.name)
        started = time.monotonic()
        attempts = 0
        while True:
            attempts += 1
            made, failure, status = self._try(step)
            if failure is None or not failure.may_pass or attempts > self.retries:
                break
            logs.event("image.retried", image=step.image.name, because=failure.message)
            if self._stopped.wait(_BACKOFF_S * 2 ** (attempts - 1)):
                break
        because = ", ".join(str(reason) for reason in step.reasons[:3])
        if failure is not None:
            because = failure.message
        duration_s = time.monotonic() - started
        error = None if status is Status.CANCELLED else failure
        return Outcome(step, status, because, made, started, duration_s, attempts, error)

    def _try(self, step: Step) -> tuple[Made | None, OrchError | None, Status]:
        """Build once; return what was made, or what went wrong, and what that makes the step."""
        try:
            return self.engine.build(step, self._parents(step)), None, Status.BUILT
        except (InterruptedByUserError, CancelledError):
            return None, InterruptedByUserError("the run was stopped"), Status.CANCELLED
        except UnavailableError as error:
            return None, error, Status.UNAVAILABLE
        except OrchError as error:
            return None, error, Status.FAILED
        except OSError as error:
            return None, disk_error(error), Status.FAILED
        except Exception as error:  # noqa: BLE001 - a fault in one image must not stop the others
            logs.event("image.crashed", image=step.image.name, traceback=traceback.format_exc())
            failure = OrchError(f"{type(error).__name__}: {error}", hint="orch -v says where")
            return None, failure, Status.FAILED

    def _parents(self, step: Step) -> Mapping[str, str]:
        return {
            parent: self.outcomes[parent].digest
            for parent in self.graph.parents[step.image.name]
            if parent in self.outcomes
        }

    def _settle(self, outcome: Outcome) -> None:
        name = outcome.step.image.name
        if name not in self.outcomes:
            for dependent in self.graph.dependents[name]:
                if dependent in self._unsettled:
                    self._unsettled[dependent] -= 1
                    if not self._unsettled[dependent]:
                        self._push(self.plan.steps[dependent])
        self.outcomes[name] = outcome
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


def heaviest_first(
    plan: Plan, graph: Graph, durations: Mapping[str, float]
) -> dict[str, tuple[float, int]]:
    """Return each step's place in the queue: the longest way to the end first, then plan order.

    A step that nobody timed yet counts as the average of the others.
    """
    average = sum(durations.values()) / len(durations) if durations else 1.0
    weights: dict[str, float] = {}
    for name in reversed(list(plan.steps)):
        step = plan.steps[name]
        own = durations.get(name, average) if step.action is Action.BUILD else 0.0
        below = (weights.get(dependent, 0.0) for dependent in graph.dependents[name])
        weights[name] = own + max(below, default=0.0)
    return {name: (-weights[name], position) for position, name in enumerate(plan.steps)}
