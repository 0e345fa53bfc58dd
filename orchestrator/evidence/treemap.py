"""Areas for sizes: a treemap whose tiles are as square as may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle; it stands for the size at the same place of what was asked for."""

    x: float
    y: float
    width: float
    height: float


def squarify(sizes: Sequence[int], width: float, height: float) -> tuple[Tile, ...]:
    """Divide a rectangle among sizes, which are positive and come in falling order.

    Rows are laid along the shorter side, and closed when one more tile would make the worst
    of the row longer than it is.

    Source: Bruls, Huizing, van Wijk, "Squarified Treemaps", 2000.
    """
    scale = width * height / sum(sizes) if sizes else 0.0
    areas = [size * scale for size in sizes]
    tiles: list[Tile] = []
    x = y = 0.0
    while len(tiles) < len(areas):
        rest = areas[len(tiles) :]
        side = min(width - x, height - y)
        count = 1
        while count < len(rest) and _worst(rest[: count + 1], side) <= _worst(rest[:count], side):
            count += 1
        depth = sum(rest[:count]) / side
        at = 0.0
        for area in rest[:count]:
            along = area / depth
            if width - x >= height - y:
                tiles.append(Tile(x, y + at, depth, along))
            else:
                tiles.append(Tile(x + at, y, along, depth))
            at += along
        if width - x >= height - y:
            x += depth
        else:
            y += depth
    return tuple(tiles)


def _worst(row: Sequence[float], side: float) -> float:
    """Return the ratio of the sides of a row's longest tile."""
    total = sum(row)
    return max(side * side * row[0] / total**2, total**2 / (side * side * row[-1]))
