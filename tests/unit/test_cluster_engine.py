"""Waiting for the jobs of a cluster, whose scheduler and workers may be lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed.client import ClosedClientError, FutureCancelledError
from distributed.scheduler import NoValidWorkerError

from orchestrator.cluster import attendance, engine
from orchestrator.cluster.attendance import ANY_WORKER, Attendance
from orchestrator.cluster.client import Cluster
from orchestrator.cluster.engine import ClusterEngine
from orchestrator.cluster.job import Job, Result, failure
from orchestrator.cluster.parcel import Parcel
from orchestrator.errors import ExitCode
from orchestrator.fingerprint import Fingerprint
from orchestrator.model import Settings
from orchestrator.plan import plan_builds
from orchestrator.ports import Outcome, Status
from orchestrator.schedule import Run
from tests.fakes import FakeObserver
from tests.helpers import AMD64, graph_of

ADDRESS = "tcp://cluster:8786"
LOST = FutureCancelledError("a", "scheduler-connection-lost")
DONE = {"status": "built", "digest": "sha256:d", "size_bytes": 1, "unpacked_bytes": 1, "layers": []}

BEGUN = ("bad", "going")


@dataclass(eq=False)
class FakeFuture:
    """A job whose result came, or that is waited for until it is taken back."""

    came: Result | Exception | None
    is_taken_back: threading.Event = field(default_factory=threading.Event)

    def result(self, timeout_s: float) -> Result:
        if isinstance(self.came, Exception):
            raise self.came
        if self.came is not None:
            return self.came
        if self.is_taken_back.wait(timeout_s):
            raise CancelledError
        raise TimeoutError


@dataclass
class FakeClient:
    """Takes the jobs of images, whose `futures` it gives; `begun` are told of at once."""

    futures: Mapping[str, FakeFuture]
    begun: Collection[str] = ()
    workers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    is_closed: bool = False
    tell: Callable[..., None] = lambda _: None

    def subscribe_topic(self, topic: str, tell: Callable[..., None]) -> None:
        self.tell = tell

    def submit(self, *_: object, key: str, **__: object) -> FakeFuture:
        name = key.partition("-")[0]
        if name in self.begun:
            self.tell((0.0, {"image": name}))
        return self.futures.get(name, FakeFuture({}))

    def cancel(self, futures: Sequence[FakeFuture]) -> None:
        if self.is_closed:
            raise ClosedClientError
        for future in futures:
            future.is_taken_back.set()

    def run(self, *_: object, **__: object) -> None:
        if self.is_closed:
            raise OSError

    def scheduler_info(self, n_workers: int) -> Mapping[str, Any]:
        return {"workers": self.workers}


class Scene:
    """A graph whose images are all given to a cluster."""

    def __init__(self, came: Mapping[str, Result | Exception | None], **client: Any) -> None:
        self.graph = graph_of("; ".join(came))
        prints = dict.fromkeys(self.graph.images, Fingerprint.of(()))
        self.plan = plan_builds(self.graph, AMD64, prints, {})
        futures = {name: FakeFuture(what) for name, what in came.items()}
        self.client = FakeClient(futures, **client)

    def engine(self, *, fail_fast: bool = False) -> ClusterEngine:
        cluster = Cluster(self.client, ADDRESS, (), ())
        made = ClusterEngine(
            cluster, "r", FakeObserver(), lambda _: None, lambda *_: None, fail_fast=fail_fast
        )
        jobs = [(step, Job("r", name, "", "")) for name, step in self.plan.steps.items()]
        settings = Settings(Path("/ws/orch.toml"))
        made.submit(jobs, Parcel(b"", ""), self.graph, settings, dict.fromkeys(self.plan.steps, 0))
        return made

    def run(self, *, fail_fast: bool = False) -> dict[str, Outcome]:
        engine, observer = self.engine(fail_fast=fail_fast), FakeObserver()
        run = Run(self.plan, self.graph, engine, observer, lambda _: None, fail_fast=fail_fast)
        return run.run(len(self.plan.steps))


def told(outcome: Outcome) -> tuple[str, str, ExitCode]:
    assert outcome.error is not None
    return outcome.error.message, outcome.error.hint, outcome.error.exit_code


def test_with_fail_fast_what_has_not_begun_is_taken_back() -> None:
    scene = Scene(
        {"bad": failure("m", "h"), "waiting": None, "going": DONE}, begun=["bad", "going"]
    )
    statuses = {name: outcome.status for name, outcome in scene.run(fail_fast=True).items()}
    assert statuses == {
        "bad": Status.FAILED,
        "waiting": Status.CANCELLED,
        "going": Status.BUILT,
    }
    assert not scene.client.futures["going"].is_taken_back.is_set()


@pytest.mark.parametrize("fail_fast", [False, True])
def test_a_lost_scheduler_fails_what_is_waited_for(fail_fast: bool) -> None:  # noqa: FBT001
    outcomes = Scene({"a": LOST, "b": LOST}).run(fail_fast=fail_fast)
    failed = [outcome for outcome in outcomes.values() if outcome.status is Status.FAILED]
    assert failed
    message, hint, code = told(failed[0])
    assert message == f"the scheduler at {ADDRESS} was lost"
    assert "run it again" in hint
    assert code is ExitCode.MISSING_TOOL


def test_after_a_stop_a_lost_scheduler_is_no_error() -> None:
    scene = Scene({"a": LOST}, is_closed=True)
    engine = scene.engine()
    engine.stop()
    with pytest.raises(CancelledError):
        engine.build(scene.plan.steps["a"], {})


def test_where_all_workers_are_lost_what_waits_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attendance, "_ASK_EVERY_S", 0)
    monkeypatch.setattr(engine, "_LOOK_EVERY_S", 0)
    with dask.config.set({"distributed.scheduler.no-workers-timeout": "1us"}):
        outcome = Scene({"a": None}).run()["a"]
    message, hint, code = told(outcome)
    assert message == f"no worker of the cluster at {ADDRESS} is left"
    assert "start workers" in hint
    assert code is ExitCode.MISSING_TOOL


def test_a_scheduler_that_gives_up_for_want_of_a_worker_says_which() -> None:
    gave_up = NoValidWorkerError("a", set(), set(), {"docker": 1.0}, 5.0)
    message, _, _ = told(Scene({"a": gave_up}).run()["a"])
    assert message == f"no worker of the cluster at {ADDRESS} offers docker=1 any more"


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_what_nobody_offers_is_missing_when_patience_is_at_its_end() -> None:
    offered, clock = [ANY_WORKER, "docker"], Clock()
    present = Attendance(lambda: offered, 60, clock)
    clock.now_s = 100
    assert present.missing([ANY_WORKER, "docker"]) == ()
    offered.remove("docker")
    clock.now_s = 159
    assert present.missing([ANY_WORKER, "docker"]) == ()
    clock.now_s = 162
    assert present.missing([ANY_WORKER, "docker"]) == ("docker",)
    assert present.missing([ANY_WORKER]) == ()


def test_a_worker_that_comes_back_in_time_is_missed_by_nobody() -> None:
    offered, clock = [ANY_WORKER], Clock()
    present = Attendance(lambda: offered, 60, clock)
    offered.clear()
    clock.now_s = 50
    assert present.missing([ANY_WORKER]) == ()
    offered.append(ANY_WORKER)
    clock.now_s = 61
    assert present.missing([ANY_WORKER]) == ()
