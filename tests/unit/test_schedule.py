"""Running a plan: order, bounds, failures, interruption, and what is recorded."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import wait
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from orchestrator import schedule
from orchestrator.errors import (
    InterruptedByUserError,
    OrchError,
    OutOfSpaceError,
    UnavailableError,
)
from orchestrator.fingerprint import Fingerprint
from orchestrator.graph import Graph
from orchestrator.model import DockerfileBuild, ImageSettings, Uses
from orchestrator.plan import Recorded, plan_builds
from orchestrator.ports import Outcome, Status
from orchestrator.schedule import Run
from tests.fakes import FakeEngine, FakeObserver
from tests.helpers import AMD64, graph_of

TIERS = "base; web: base; api: web; bot: web; ml: base; other"
WAIT_S = 20
EMPTY = Fingerprint.of(())


class Scene:
    """A graph, an engine and an observer; `recorded` has the names in the order of recording."""

    def __init__(
        self,
        graph: str = TIERS,
        on: Mapping[str, Callable[[], None]] | None = None,
        *,
        reused: Collection[str] = (),
        unavailable: Mapping[str, str] | None = None,
        fail_fast: bool = False,
    ) -> None:
        self.graph: Graph = graph_of(graph)
        self.engine = FakeEngine(on or {})
        self.observer = FakeObserver()
        self.recorded: list[str] = []
        self.run = Run(
            plan_builds(
                self.graph,
                AMD64,
                dict.fromkeys(self.graph.images, EMPTY),
                {name: Recorded(EMPTY, f"sha256:old-{name}") for name in reused},
                unavailable=(unavailable or {}).get,
            ),
            self.graph,
            self.engine,
            self.observer,
            self.record,
            fail_fast=fail_fast,
        )

    def record(self, outcome: Outcome) -> None:
        self.recorded.append(outcome.step.image.name)

    def statuses(self, jobs: int = 4) -> dict[str, str]:
        return {name: outcome.status.value for name, outcome in self.run.run(jobs).items()}


def fail(error: BaseException) -> Callable[[], NoReturn]:
    def raise_it() -> NoReturn:
        raise error

    return raise_it


def meet(barrier: threading.Barrier) -> Callable[[], None]:
    def wait() -> None:
        barrier.wait(WAIT_S)

    return wait


def wait_for(event: threading.Event) -> Callable[[], None]:
    def wait() -> None:
        assert event.wait(WAIT_S)

    return wait


def test_parents_are_built_first_and_their_digests_handed_on() -> None:
    scene = Scene()
    assert set(scene.statuses().values()) == {"built"}
    began = scene.engine.built
    assert began.index("base") < began.index("web") < began.index("api")
    assert scene.engine.parents["api"] == {"web": "sha256:web"}


def test_outcomes_come_in_the_plan_s_order_whatever_was_done_first() -> None:
    recorded = threading.Event()
    scene = Scene("slow; quick", {"slow": wait_for(recorded)})

    def record(outcome: Outcome) -> None:
        scene.record(outcome)
        recorded.set()

    scene.run.record = record
    assert list(scene.run.run(2)) == ["slow", "quick"]
    assert scene.recorded == ["quick", "slow"]


def test_independent_images_are_built_at_the_same_time() -> None:
    together = meet(threading.Barrier(3))
    scene = Scene("a; b; c", {"a": together, "b": together, "c": together})
    assert set(scene.statuses(jobs=3).values()) == {"built"}
    assert scene.engine.most_at_once == 3


@pytest.mark.parametrize("jobs", [1, 2])
def test_never_more_than_jobs_are_built_at_once(jobs: int) -> None:
    pair = meet(threading.Barrier(jobs))
    names = "abcdef"
    scene = Scene("; ".join(names), dict.fromkeys(names, pair))
    scene.statuses(jobs=jobs)
    assert scene.engine.most_at_once == jobs


def test_a_child_does_not_wait_for_images_it_does_not_stand_on() -> None:
    child_done = threading.Event()
    scene = Scene("base; web: base; slow", {"slow": wait_for(child_done), "web": child_done.set})
    assert scene.statuses(jobs=2) == {"base": "built", "web": "built", "slow": "built"}


def test_a_failure_skips_only_dependents_with_the_parent_s_name() -> None:
    scene = Scene(on={"web": fail(OrchError("no such package", hint="look"))})
    assert scene.statuses() == {
        "base": "built",
        "web": "failed",
        "api": "skipped",
        "bot": "skipped",
        "ml": "built",
        "other": "built",
    }
    assert scene.run.outcomes["api"].because == "web failed"
    assert scene.run.outcomes["web"].because == "no such package"


def test_a_failure_two_tiers_up_skips_with_the_name_of_the_nearest_parent() -> None:
    scene = Scene("a; b: a; c: b", {"a": fail(OrchError("x"))})
    scene.statuses()
    assert scene.run.outcomes["c"].because == "b was skipped"


def test_a_current_image_on_a_failed_one_is_skipped_and_not_called_reused() -> None:
    scene = Scene("base; web: base", {"base": fail(OrchError("x"))}, reused=["web"])
    assert scene.statuses() == {"base": "failed", "web": "skipped"}


def test_only_what_succeeded_is_recorded() -> None:
    scene = Scene(on={"web": fail(OrchError("x"))}, reused=["other"])
    scene.statuses()
    assert sorted(scene.recorded) == ["base", "ml"]


def test_an_image_is_recorded_before_what_stands_on_it_begins() -> None:
    found: list[list[str]] = []
    scene = Scene("base; web: base", {"web": lambda: found.append(list(scene.recorded))})
    scene.statuses()
    assert found == [["base"]]


def test_fail_fast_begins_nothing_more() -> None:
    scene = Scene("a; b; c", {"a": fail(OrchError("x"))}, fail_fast=True)
    assert scene.statuses(jobs=1) == {"a": "failed", "b": "cancelled", "c": "cancelled"}
    assert scene.engine.built == ["a"]


def test_fail_fast_lets_what_runs_come_to_its_end() -> None:
    failed = threading.Event()

    def break_down() -> None:
        failed.set()
        raise OrchError("x")

    both = threading.Barrier(2)

    def slow() -> None:
        both.wait(WAIT_S)
        failed.wait(WAIT_S)

    def quick() -> None:
        both.wait(WAIT_S)
        break_down()

    scene = Scene("slow; quick; late", {"slow": slow, "quick": quick}, fail_fast=True)
    assert scene.statuses(jobs=2)["slow"] == "built"
    assert scene.recorded[0] == "slow"


def test_unavailable_reaches_what_stands_on_it_and_nothing_else() -> None:
    scene = Scene(unavailable={"web": "no wheel for this platform"})
    assert scene.statuses() == {
        "base": "built",
        "web": "unavailable",
        "api": "unavailable",
        "bot": "unavailable",
        "ml": "built",
        "other": "built",
    }
    assert scene.run.outcomes["web"].because == "no wheel for this platform"


def test_what_the_engine_finds_unavailable_makes_its_dependents_so() -> None:
    scene = Scene("base; web: base", {"base": fail(UnavailableError("no engine"))})
    assert scene.statuses() == {"base": "unavailable", "web": "unavailable"}
    assert scene.run.outcomes["web"].because == "base is unavailable"


def test_reused_images_keep_their_digest_and_reach_no_engine() -> None:
    scene = Scene("base; web: base", reused=["base"])
    assert scene.statuses() == {"base": "reused", "web": "built"}
    assert scene.engine.parents == {"web": {"base": "sha256:old-base"}}


def test_a_full_disk_is_a_failure_with_a_hint() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/cache/x")
    scene = Scene("a", {"a": fail(full)})
    scene.statuses()
    error = scene.run.outcomes["a"].error
    assert isinstance(error, OutOfSpaceError)
    assert "/cache/x" in error.message


def test_a_fault_of_the_engine_fails_one_image_and_no_other() -> None:
    scene = Scene("a; b", {"a": fail(ZeroDivisionError("by zero"))})
    assert scene.statuses() == {"a": "failed", "b": "built"}
    assert scene.run.outcomes["a"].because == "ZeroDivisionError: by zero"


def test_the_observer_sees_each_image_begin_and_end() -> None:
    scene = Scene("base; web: base; old", reused=["old"])
    scene.statuses()
    events = scene.observer.events
    assert sorted(events) == [
        "built base",
        "built web",
        "reused old",
        "started base",
        "started web",
    ]
    assert events.index("built base") < events.index("started web")


class Interrupting:
    """Stands for `wait`: raises KeyboardInterrupt when `ready` is set, as often as is said."""

    def __init__(self, ready: threading.Event, times: int = 1) -> None:
        self._ready, self._times = ready, times

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if self._times and self._ready.wait(WAIT_S):
            self._times -= 1
            raise KeyboardInterrupt
        return wait(*arguments, **options)


def test_an_interrupt_stops_the_engine_and_cancels_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    building = threading.Event()

    def give_up() -> None:
        building.set()
        assert scene.engine.stopped.wait(WAIT_S)
        raise InterruptedByUserError("stopped")

    scene = Scene("a; b: a; c", {"a": give_up})
    monkeypatch.setattr(schedule, "wait", Interrupting(building))
    assert scene.statuses(jobs=1) == {"a": "cancelled", "b": "cancelled", "c": "cancelled"}
    assert scene.run.outcomes["b"].because == "a was cancelled"
    assert scene.engine.built == ["a"]
    assert scene.recorded == []


def test_an_interrupt_keeps_what_comes_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    building = threading.Event()

    def finish() -> None:
        building.set()
        assert scene.engine.stopped.wait(WAIT_S)

    scene = Scene("a; b: a", {"a": finish})
    monkeypatch.setattr(schedule, "wait", Interrupting(building))
    assert scene.statuses(jobs=1) == {"a": "built", "b": "cancelled"}
    assert scene.recorded == ["a"]


def test_an_interrupt_after_a_failure_still_stops_the_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failed, stopped = threading.Event(), threading.Event()

    def linger() -> None:
        assert scene.engine.stopped.wait(WAIT_S)
        stopped.set()

    scene = Scene("bad; slow", {"bad": fail(OrchError("x")), "slow": linger}, fail_fast=True)
    settle = scene.observer.finished

    def finished(outcome: Outcome) -> None:
        settle(outcome)
        failed.set()

    monkeypatch.setattr(scene.observer, "finished", finished)

    def interrupt_once(*arguments: Any, **options: Any) -> Any:
        if failed.is_set() and not scene.engine.stopped.is_set():
            raise KeyboardInterrupt
        return wait(*arguments, **options)

    monkeypatch.setattr(schedule, "wait", interrupt_once)
    assert scene.statuses(jobs=2) == {"bad": "failed", "slow": "built"}
    assert stopped.is_set()


def test_an_interrupt_while_recording_loses_no_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene("a; b: a")
    interrupts = iter([KeyboardInterrupt()])

    def record(outcome: Outcome) -> None:
        for interrupt in interrupts:
            raise interrupt
        scene.record(outcome)

    scene.run.record = record
    assert scene.statuses() == {"a": "built", "b": "cancelled"}
    assert scene.recorded == ["a"]


def test_a_second_interrupt_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    building = threading.Event()

    def linger() -> None:
        building.set()
        assert scene.engine.stopped.wait(WAIT_S)

    scene = Scene("a", {"a": linger})
    monkeypatch.setattr(schedule, "wait", Interrupting(building, times=2))
    with pytest.raises(KeyboardInterrupt):
        scene.run.run(1)


def test_what_the_longest_chain_hangs_on_begins_first() -> None:
    scene = Scene("light; heavy; long; top: long")
    scene.run.durations = {"light": 1, "heavy": 5, "long": 3, "top": 4}
    scene.statuses(jobs=1)
    assert scene.engine.built == ["long", "heavy", "top", "light"]


def test_without_durations_the_longest_way_in_images_begins_first() -> None:
    scene = Scene("alone; base; web: base; api: web")
    scene.statuses(jobs=1)
    assert scene.engine.built == ["base", "web", "alone", "api"]


class BusyError(OrchError):
    """A fault that may pass."""

    may_pass = True


def failing_first(times: int, error: OrchError) -> Callable[[], None]:
    left = iter([error] * times)

    def work() -> None:
        for failure in left:
            raise failure

    return work


def test_a_fault_that_may_pass_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "_BACKOFF_S", 0.0)
    scene = Scene("base; web: base", {"base": failing_first(2, BusyError("busy"))})
    scene.run.retries = 2
    outcomes = scene.run.run(1)
    assert outcomes["base"].attempts == 3
    assert outcomes["web"].status is Status.BUILT


def test_a_fault_that_stays_is_tried_no_more_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "_BACKOFF_S", 0.0)
    scene = Scene("base", {"base": fail(BusyError("busy"))})
    scene.run.retries = 1
    outcome = scene.run.run(1)["base"]
    assert (outcome.attempts, outcome.status) == (2, Status.FAILED)


def test_a_fault_that_will_not_pass_is_tried_once() -> None:
    scene = Scene("base", {"base": fail(OrchError("wrong"))})
    scene.run.retries = 5
    assert scene.run.run(1)["base"].attempts == 1


def test_many_thousand_images_are_scheduled_without_a_quadratic_walk() -> None:
    names = [f"n{number}" for number in range(3000)]
    scene = Scene("; ".join(names), reused=names)
    assert set(scene.statuses().values()) == {"reused"}


def test_dockerfiles_are_built_beside_recipes_in_a_number_of_their_own() -> None:
    barrier = threading.Barrier(3)
    on = {name: meet(barrier) for name in ("recipe", "one", "two")}
    scene = Scene("recipe; second; one; two", on)
    build = DockerfileBuild(ImageSettings(), Uses(), "")
    steps = {
        name: replace(step, image=replace(step.image, build=build))
        if name in {"one", "two"}
        else step
        for name, step in scene.run.plan.steps.items()
    }
    scene.run.plan = replace(scene.run.plan, steps=steps)
    outcomes = scene.run.run(1, 2)
    assert {outcome.status for outcome in outcomes.values()} == {Status.BUILT}
    assert scene.engine.most_at_once == 3
