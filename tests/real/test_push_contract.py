"""A real registry does what every registry does, and so the fake one is true."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.publish.http_registry import HttpRegistry
from orchestrator.publish.wire import Wire
from tests.registry_contract import RegistryContract


class TestDockerRegistry(RegistryContract):
    @pytest.fixture
    def host(self, registry: str) -> str:
        return registry

    @pytest.fixture
    def registry_under_test(self) -> Iterator[HttpRegistry]:
        wire = Wire(actions="pull,push", find=lambda _: None)
        yield HttpRegistry(wire)
        wire.close()
