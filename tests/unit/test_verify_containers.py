"""Played containers do what every container of a trial does."""

from __future__ import annotations

import pytest

from orchestrator.engines.docker.trial import Confined
from tests.container_contract import ContainerContract
from tests.trials import FakeRuntime, Life


class TestFakeContainers(ContainerContract):
    @pytest.fixture
    def runtime(self) -> FakeRuntime:
        written = (("/www", True), ("/www/x", False))
        return FakeRuntime(Life(ends_on={"SIGTERM": 7}, log="hello\n", written=written))

    @pytest.fixture
    def confined(self) -> Confined:
        return Confined("tiny", "tiny")
