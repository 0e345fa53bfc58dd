"""Images spread over several builders."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from orchestrator.engines.buildkit.engine import BuildKit
from orchestrator.engines.buildkit.spread import Spread
from orchestrator.errors import BuildError, MissingToolError, OrchError
from orchestrator.fingerprint import Fingerprint
from orchestrator.plan import Action, Step
from orchestrator.ports import Made
from tests.helpers import AMD64, image_of


class Builder:
    """Builds when it may, or fails; `built` are the images that it was given."""

    def __init__(self, failure: OrchError | None = None) -> None:
        self.failure = failure
        self.built: list[str] = []
        self.may = threading.Event()
        self.may.set()
        self.begun = threading.Semaphore(0)
        self.warnings = ["of a builder"]
        self.ended: list[str] = []

    def build(self, step: Step, parents: Mapping[str, str]) -> Made:
        self.built.append(step.image.name)
        self.begun.release()
        assert self.may.wait(30)
        if self.failure:
            raise self.failure
        return Made("sha256:1", 1, 1)

    def stop(self) -> None:
        self.ended.append("stop")

    def close(self) -> None:
        self.ended.append("close")


def spread(**builders: Builder) -> Spread:
    return Spread({name: cast(BuildKit, builder) for name, builder in builders.items()})


def step(name: str) -> Step:
    return Step(image_of(name), AMD64, 0, Action.BUILD, Fingerprint.of([]))


def test_each_image_goes_to_the_builder_with_the_least_to_do() -> None:
    one, two = Builder(), Builder()
    engine = spread(one=one, two=two)
    one.may.clear()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(engine.build, step("a"), {})
        one.begun.acquire()
        for name in "bc":
            engine.build(step(name), {})
        one.may.set()
        first.result()
    engine.build(step("d"), {})
    assert (one.built, two.built) == (["a", "d"], ["b", "c"])
    assert engine.warnings == ["of a builder", "of a builder"]


def test_what_a_builder_out_of_reach_would_have_built_others_build_and_it_is_said() -> None:
    lost, other = Builder(MissingToolError("it is gone")), Builder()
    engine = spread(lost=lost, other=other)
    for name in "abc":
        engine.build(step(name), {})
    assert (lost.built, other.built) == (["a"], ["a", "b", "c"])
    assert engine.warnings[0] == "others built what was for builder lost: it is gone"


def test_with_no_builder_in_reach_the_image_cannot_be_built() -> None:
    builders = {name: Builder(MissingToolError(f"{name} is gone")) for name in ("one", "two")}
    engine = spread(**builders)
    for name in "ab":
        with pytest.raises(MissingToolError, match="is gone"):
            engine.build(step(name), {})


def test_a_dockerfile_that_fails_is_not_tried_on_another_builder() -> None:
    one, two = Builder(BuildError("RUN false")), Builder()
    with pytest.raises(BuildError):
        spread(one=one, two=two).build(step("a"), {})
    assert two.built == []


def test_all_builders_are_stopped_and_closed() -> None:
    one, two = Builder(), Builder()
    engine = spread(one=one, two=two)
    engine.stop()
    engine.close()
    assert one.ended == two.ended == ["stop", "close"]
