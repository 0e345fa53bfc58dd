"""The fake registry, and ours over HTTP, do what every registry does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.publish.http_registry import HttpRegistry
from orchestrator.publish.wire import Wire
from tests.fakes import FakeRegistry
from tests.registries import TinyRegistry
from tests.registry_contract import RegistryContract


class TestFakeRegistry(RegistryContract):
    @pytest.fixture
    def host(self) -> str:
        return "registry.example.com"

    @pytest.fixture
    def registry_under_test(self) -> FakeRegistry:
        return FakeRegistry()


class TestHttpRegistry(RegistryContract):
    @pytest.fixture
    def host(self) -> Iterator[str]:
        with TinyRegistry().running() as tiny:
            yield tiny.address

    @pytest.fixture
    def registry_under_test(self) -> Iterator[HttpRegistry]:
        wire = Wire(actions="pull,push", retry_s=0.0, find=lambda _: None)
        yield HttpRegistry(wire)
        wire.close()


class TestHttpRegistryWithoutLists(RegistryContract):
    @pytest.fixture
    def host(self) -> Iterator[str]:
        with TinyRegistry(lists_referrers=False).running() as tiny:
            yield tiny.address

    @pytest.fixture
    def registry_under_test(self) -> Iterator[HttpRegistry]:
        wire = Wire(actions="pull,push", retry_s=0.0, find=lambda _: None)
        yield HttpRegistry(wire)
        wire.close()
