"""Where images stand in a drawing of their tiers: from left to right, none above another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

COLUMN = 232
ROW = 52
WIDTH = 176
HEIGHT = 40
_GAP = 24


@dataclass(frozen=True, slots=True)
class Place:
    """The left upper corner of an image's box."""

    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """Boxes by image, and the size of all; `tiers` has the left edge of each."""

    width: int
    height: int
    places: Mapping[str, Place]
    tiers: Mapping[int, int]


def draw_tiers(tiers: Mapping[str, int], parents: Mapping[str, Sequence[str]]) -> Drawing:
    """Place each image in its tier's column, near the rows of those it stands on.

    A tier with many images gets several columns, so that the drawing stays about square.
    """
    most = max(12, math.ceil(math.sqrt(len(tiers) * COLUMN / ROW / 2)))
    places: dict[str, Place] = {}
    lefts: dict[int, int] = {}
    left = _GAP
    for tier in sorted(set(tiers.values())):
        lefts[tier] = left
        names = sorted(
            (name for name in tiers if tiers[name] == tier),
            key=lambda name: (_mean_row(parents[name], places), name),
        )
        for index, name in enumerate(names):
            column, row = divmod(index, most)
            places[name] = Place(left + column * COLUMN, _GAP * 2 + row * ROW)
        left += math.ceil(len(names) / most) * COLUMN
    bottom = max((place.y for place in places.values()), default=0)
    return Drawing(left - COLUMN + WIDTH + _GAP, bottom + HEIGHT + _GAP, places, lefts)


def _mean_row(parents: Sequence[str], places: Mapping[str, Place]) -> float:
    rows = [places[parent].y for parent in parents if parent in places]
    return sum(rows) / len(rows) if rows else 0.0
