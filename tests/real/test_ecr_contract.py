"""The client of ECR does what its double does, against moto over HTTP."""

from __future__ import annotations

import pytest

from orchestrator.publish.ecr.client import BotoEcr
from tests.buckets import use_credentials
from tests.ecr import EcrContract, Put
from tests.real.ecr import EcrSite


class TestBotoEcr(EcrContract):
    @pytest.fixture
    def site(self, moto: str, monkeypatch: pytest.MonkeyPatch) -> EcrSite:
        use_credentials(monkeypatch)
        return EcrSite(moto, "")

    @pytest.fixture
    def ecr(self, site: EcrSite) -> BotoEcr:
        return site.ecr()

    @pytest.fixture
    def put(self, site: EcrSite) -> Put:
        return site.put
