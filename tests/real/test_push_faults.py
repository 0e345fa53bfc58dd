"""Whatever fault a push meets, it ends right or says what is wrong, and where."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import OrchError
from orchestrator.publish.credentials import Credentials
from orchestrator.publish.outgoing import PushStatus
from tests.conftest import required
from tests.real.fault_proxy import Fault, FaultProxy
from tests.real.pushing import NAMES, Parcel, check_tags_are_whole, push
from tests.real.registry import PASSWORD, USER
from tests.real.registry import registry as run_registry
from tests.real.token_server import TokenServer, token_server

REQUESTS = 84
"""At least as many as a push of the parcel makes; a test says so."""
SAMPLE = (1, 12, 18, 27, 47, 70)
STALLED_S = 0.5
_STALLS = (2, 20)

ANN = Credentials(USER, PASSWORD)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    is_full = metafunc.config.getoption("--full")
    everywhere = range(1, REQUESTS + 1)
    if "expired_at" in metafunc.fixturenames:
        metafunc.parametrize("expired_at", everywhere if is_full else (2, 20, 33))
    if {"fault", "number"} <= set(metafunc.fixturenames):
        cases = [
            (fault, number)
            for fault in Fault
            for number in (everywhere if is_full else _STALLS if fault is Fault.STALL else SAMPLE)
        ]
        metafunc.parametrize(("fault", "number"), cases)


@pytest.fixture
def parcel(tmp_path: Path) -> Parcel:
    return Parcel.made(tmp_path)


@pytest.fixture
def prefix() -> str:
    return f"faults/{uuid.uuid4().hex}"


def test_a_fault_at_a_request_of_a_push(
    registry: str, parcel: Parcel, prefix: str, fault: Fault, number: int
) -> None:
    timeout_s = STALLED_S if fault is Fault.STALL else 30
    with FaultProxy(registry, fault, {number}).running() as proxy:
        images = parcel.images(proxy.address, prefix)
        try:
            done = push(parcel.layout, images, timeout_s=timeout_s)
            errors = [item.error for item in done if item.error]
        except OrchError as problem:
            done, errors = [], [problem]
    for error in errors:
        assert prefix in str(error) or proxy.address in str(error), "it says where"
        assert error.hint, f"{error} has no hint"
    direct = parcel.images(registry, prefix)
    repositories = [image.repository for image in direct]
    tags = check_tags_are_whole(repositories)
    if not errors:
        assert {item.status for item in done} <= {PushStatus.PUSHED, PushStatus.UNCHANGED}
        assert tags == 2 * len(NAMES)
    carried_on = push(parcel.layout, direct)
    assert not [item.error for item in carried_on if item.error]
    assert check_tags_are_whole(repositories) == 2 * len(NAMES)


PASSING = [Fault.RESET, Fault.LOST_ANSWER, Fault.ERROR, Fault.BUSY, Fault.TOO_MANY]


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_does_no_harm_at_any_fifth_request(
    registry: str, parcel: Parcel, prefix: str, fault: Fault
) -> None:
    with FaultProxy(registry, fault, range(3, 400, 5)).running() as proxy:
        done = push(parcel.layout, parcel.images(proxy.address, prefix), jobs=1)
    assert [str(item.error) for item in done if item.error] == []
    assert all(item.status is PushStatus.PUSHED for item in done)


def test_the_numbers_reach_to_the_end_of_a_push(registry: str, parcel: Parcel, prefix: str) -> None:
    with FaultProxy(registry).running() as proxy:
        push(parcel.layout, parcel.images(proxy.address, prefix))
        count = len(proxy.asked)
    assert max(SAMPLE) <= count <= REQUESTS


@pytest.fixture(scope="module")
def tokens() -> Iterator[TokenServer]:
    with required(token_server(USER, PASSWORD)) as tokens:
        yield tokens


@pytest.fixture(scope="module")
def token_registry(tokens: TokenServer) -> Iterator[str]:
    with required(run_registry(tokens=tokens)) as address:
        yield address


@pytest.fixture(scope="module")
def password_registry() -> Iterator[str]:
    with required(run_registry(passwords=True)) as address:
        yield address


def test_a_registry_with_tokens_takes_a_push(
    token_registry: str, tokens: TokenServer, parcel: Parcel, prefix: str
) -> None:
    images = parcel.images(token_registry, prefix)
    done = push(parcel.layout, images, known=ANN)
    assert [str(item.error) for item in done if item.error] == []
    assert check_tags_are_whole([image.repository for image in images], ANN) == 2 * len(NAMES)


def test_tokens_that_run_out_at_once_are_renewed(
    token_registry: str, tokens: TokenServer, parcel: Parcel, prefix: str
) -> None:
    tokens.life_s, before = 1, len(tokens.granted)
    try:
        done = push(parcel.layout, parcel.images(token_registry, prefix), known=ANN)
    finally:
        tokens.life_s = 300
    assert [str(item.error) for item in done if item.error] == []
    assert len(tokens.granted) > before


def test_an_expired_token_at_a_request_is_renewed(
    token_registry: str, tokens: TokenServer, parcel: Parcel, prefix: str, expired_at: int
) -> None:
    challenge = f'Bearer realm="{tokens.realm}",service="{tokens.service}",error="invalid_token"'
    expired = FaultProxy(token_registry, Fault.EXPIRED, {expired_at}, challenge)
    with expired.running() as proxy:
        done = push(parcel.layout, parcel.images(proxy.address, prefix), known=ANN)
    assert [str(item.error) for item in done if item.error] == []


def test_a_registry_with_passwords_takes_a_push(
    password_registry: str, parcel: Parcel, prefix: str
) -> None:
    done = push(parcel.layout, parcel.images(password_registry, prefix), known=ANN)
    assert [str(item.error) for item in done if item.error] == []


def test_two_pushes_of_overlapping_images_at_once_are_both_right(
    registry: str, parcel: Parcel, prefix: str
) -> None:
    images = parcel.images(registry, prefix)
    begin = threading.Barrier(2, timeout=30)
    errors: list[str] = []

    def run(part: slice) -> None:
        begin.wait()
        done = push(parcel.layout, images[part])
        errors.extend(str(item.error) for item in done if item.error)

    parts = (slice(0, 2), slice(1, 3))
    threads = [threading.Thread(target=run, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert check_tags_are_whole([image.repository for image in images]) == 2 * len(NAMES)
