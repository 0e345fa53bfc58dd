"""What `orch doctor` found, as text and as a document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from orchestrator.fitness.finding import Finding, Level


def fitness_lines(found: Sequence[Finding]) -> Iterator[str]:
    """Yield a line for each finding, and below it what to do."""
    width = max(len(one.check) for one in found)
    for one in found:
        yield f"{one.level.value:<4}  {one.check:<{width}}  {one.message}"
        if one.hint:
            yield f"{'':<{width + 8}}hint: {one.hint}"


def fitness_summary(found: Sequence[Finding]) -> str:
    """Return how many findings there are of each level."""
    counts = Counter(one.level for one in found)
    return ", ".join(f"{counts[level]} {level.value}" for level in Level if counts[level])


def fitness_document(found: Sequence[Finding]) -> dict[str, Any]:
    """Return findings, `orch.doctor/1`."""
    return {
        "schema": "orch.doctor/1",
        "ok": not any(one.level is Level.FAIL for one in found),
        "checks": [
            {
                "check": one.check,
                "level": one.level.value,
                "message": one.message,
                "hint": one.hint,
            }
            for one in found
        ],
    }
