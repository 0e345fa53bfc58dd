"""Batches of images as GitHub's `strategy.matrix` takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from orchestrator.pipelines.batches import Batch


def matrix_document(batches: Sequence[Batch]) -> dict[str, Any]:
    """Return batches, `orch.matrix/1`: `depth` tiers, each a matrix, and all as one.

    In that one no job waits for another, so it is for images that stand on published ones.
    """
    tiers = sorted({batch.tier for batch in batches})
    return {
        "schema": "orch.matrix/1",
        "depth": len(tiers),
        "tiers": [_matrix(batch for batch in batches if batch.tier == tier) for tier in tiers],
        "all": _matrix(batches),
    }


def _matrix(batches: Iterable[Batch]) -> dict[str, Any]:
    """Return a matrix: jobs with their names, and their images with spaces between."""
    return {
        "include": [
            {"job": batch.name, "images": " ".join(batch.images), "duration_s": batch.duration_s}
            for batch in batches
        ]
    }
