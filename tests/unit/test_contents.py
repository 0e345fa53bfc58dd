"""What an image consists of: the keys of its segments, and the order of its wheels."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.engines.assembler.contents import (
    BIG_WHEEL_BYTES,
    contents_of,
    wheel_groups,
    wheel_key,
)
from orchestrator.engines.assembler.interpreter import is_native
from orchestrator.engines.assembler.wheel.segment import Venv
from orchestrator.errors import LockError
from orchestrator.lockfile import ImageLock, Lock
from orchestrator.model import LockedDeb, LockedWheel, Platform, Recipe, Settings
from tests.chains import Chain
from tests.helpers import graph_of

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
WHEEL = LockedWheel("x", "1", "x-1-py3-none-any.whl", "aa", 5)
PYTHON = LockedDeb("python3.11-minimal", "3.11.2-6", "amd64", "pp", 1, "")
BIG = BIG_WHEEL_BYTES


def test_every_input_of_a_wheels_segment_is_in_its_key() -> None:
    venv = Venv("/opt/venv", "3.11")
    keys = [
        wheel_key(WHEEL, venv, ""),
        wheel_key(WHEEL, venv, "3.11.2"),
        wheel_key(WHEEL, Venv("/srv", "3.11"), "3.11.2"),
        wheel_key(WHEEL, Venv("/opt/venv", "3.12"), "3.11.2"),
        wheel_key(LockedWheel("x", "1", "x-1-py3-none-any.whl", "bb", 5), venv, "3.11.2"),
    ]
    assert all(one != other for one, other in itertools.combinations(keys, 2))


def test_bytecode_depends_on_the_python_that_the_chain_holds() -> None:
    graph, settings = graph_of("base; web: base"), Settings(Path("/ws/orch.toml"))

    def own_key(version: str) -> str:
        python = LockedDeb("python3.11-minimal", version, "amd64", "pp", 1, "")
        images = {
            ("base", AMD64): ImageLock(debs=(python,)),
            ("web", AMD64): ImageLock(wheels=(WHEEL,)),
        }
        lock = Lock(images=images)
        return contents_of(graph, lock, settings, AMD64, "web").own.wheels[0][1]

    assert own_key("3.11.2-6") == own_key("3.11.2-6+deb12u9")
    assert own_key("3.11.2-6") != own_key("3.11.9-1")


def test_the_first_image_with_wheels_begins_the_venv() -> None:
    graph, settings = graph_of("root; base: root; web: base"), Settings(Path("/ws/orch.toml"))
    adds = {"root": ImageLock(debs=(PYTHON,)), "base": ImageLock(wheels=(WHEEL,))}
    adds["web"] = adds["base"]
    lock = Lock(images={(name, AMD64): added for name, added in adds.items()})
    found = [contents_of(graph, lock, settings, AMD64, name) for name in graph.images]
    assert [contents.begins_venv for contents in found] == [False, True, False]
    assert [contents.has_venv for contents in found] == [False, True, True]
    assert found[2].debs == (PYTHON,)


def test_an_image_that_is_not_locked_is_an_error() -> None:
    settings = Settings(Path("/ws/orch.toml"))
    with pytest.raises(LockError, match="web is not locked"):
        contents_of(graph_of("web"), Lock(), settings, AMD64, "web")


def order_of(tmp_path: Path, prefer: str, **sizes: int) -> list[list[str]]:
    chain = Chain(tmp_path)
    for name, size in sizes.items():
        chain.wheel(name, size_bytes=size)
    recipe = Recipe("", prefer={"pkg": prefer} if prefer else {})
    return [keys for _, keys in wheel_groups(chain.image("web", recipe).own)]


def test_small_wheels_share_a_layer_and_big_ones_get_their_own(tmp_path: Path) -> None:
    assert order_of(tmp_path, "", a=1, b=BIG, c=BIG - 1, d=BIG) == [["a", "c"], ["b"], ["d"]]


def test_no_wheels_make_no_layer(tmp_path: Path) -> None:
    assert order_of(tmp_path, "") == []


@pytest.mark.parametrize("a", [1, BIG])
@pytest.mark.parametrize("b", [1, BIG])
@pytest.mark.parametrize("winner", ["a", "b"])
def test_the_winners_bytes_come_last(tmp_path: Path, a: int, b: int, winner: str) -> None:
    order = list(itertools.chain.from_iterable(order_of(tmp_path, winner, a=a, b=b, c=1, d=BIG)))
    assert order.index(winner) > order.index("a" if winner == "b" else "b")
    assert sorted(order) == ["a", "b", "c", "d"]


def test_an_image_of_another_platform_is_compiled_by_this_machine_s_packages() -> None:
    native, foreign = (AMD64, ARM64) if is_native(AMD64) else (ARM64, AMD64)
    graph = graph_of("base")
    images = {
        ("base", platform): ImageLock(debs=(replace(PYTHON, architecture=platform.debian),))
        for platform in (native, foreign)
    }
    found = contents_of(graph, Lock(images=images), Settings(Path()), foreign, "base")
    assert found.platform == foreign
    assert found.compiled_on == native
    assert [deb.architecture for deb in found.compiled_by] == [native.debian]


def test_an_image_locked_for_one_platform_alone_is_compiled_by_its_own_packages() -> None:
    foreign = ARM64 if is_native(AMD64) else AMD64
    lock = Lock(images={("base", foreign): ImageLock()})
    assert (
        contents_of(graph_of("base"), lock, Settings(Path()), foreign, "base").compiled_on
        == foreign
    )
