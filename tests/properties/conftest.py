"""How long Hypothesis looks: no test fails for being slow on a busy machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("orch", deadline=None, max_examples=100)
settings.load_profile("orch")
