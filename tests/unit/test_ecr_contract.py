"""The ECR in memory does what the real interface does."""

from __future__ import annotations

import pytest

from tests.ecr import EcrContract, FakeEcr, Put


class TestFakeEcr(EcrContract):
    @pytest.fixture
    def ecr(self) -> FakeEcr:
        return FakeEcr()

    @pytest.fixture
    def put(self, ecr: FakeEcr) -> Put:
        return ecr.put
