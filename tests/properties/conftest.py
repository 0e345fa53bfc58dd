"""How long Hypothesis looks: no test fails for being slow on a busy machine."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("orch", deadline=None, max_examples=100)
settings.load_profile("orch")


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """How often chance is asked: the module's SHORT, with --full its FULL."""
    is_full = request.config.getoption("--full")
    return int(request.module.FULL if is_full else request.module.SHORT)
