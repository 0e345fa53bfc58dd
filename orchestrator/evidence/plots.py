"""Small plots: a line for figures that followed each other."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 160
HEIGHT = 36
_EDGE = 3


def plot_points(values: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """Return a place for each of two or more values, from left to right.

    The bottom is zero, so that a small change looks like one; the top is the highest value.
    """
    highest = max(values, default=0.0) or 1.0
    step = (WIDTH - 2 * _EDGE) / max(1, len(values) - 1)
    depth = HEIGHT - 2 * _EDGE
    return tuple(
        (round(_EDGE + index * step, 1), round(_EDGE + depth * (1 - value / highest), 1))
        for index, value in enumerate(values)
    )
