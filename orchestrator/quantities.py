"""Quantities as people write them in settings and recipes, in text or as plain numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Number = TypeVar("Number", int, float)

DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
"""A day as settings write it, YYYY-MM-DD; a pattern."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)")
_SECONDS_IN = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|KB|MB|GB|KiB|MiB|GiB)")
_BYTES_IN = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%?")
_PERMISSIONS = re.compile(r"0?o?[0-7]{3,4}")


@dataclass(frozen=True, slots=True)
class Quantity(Generic[Number]):
    """A kind of quantity: what errors call it, how it is written, how it is read.

    `parse` takes a value of one of the `kinds`, and gives None for what is no such quantity.
    """

    title: str
    hint: str
    kinds: tuple[type, ...]
    parse: Callable[[Any], Number | None]


def _parse_seconds(value: str | float) -> float | None:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value)
        value = float(match[1]) * _SECONDS_IN[match[2]] if match else math.inf
    return float(value) if 0 <= value < math.inf else None


def _parse_size(value: str | int) -> int | None:
    if isinstance(value, str):
        match = _SIZE.fullmatch(value)
        size = float(match[1]) * _BYTES_IN[match[2]] if match else math.inf
        return int(size) if math.isfinite(size) else None
    return value if value >= 0 else None


def _parse_percent(value: str | float) -> float | None:
    match = _SHARE.fullmatch(str(value))
    return float(match[1]) if match else None


def _parse_mode(text: str) -> int | None:
    return int(text.replace("o", ""), 8) if _PERMISSIONS.fullmatch(text) else None


SECONDS: Quantity[float] = Quantity(
    'a duration such as "30s"',
    'write a number and its unit, ms, s, m or h: "30s", "1.5h"',
    (str, int, float),
    _parse_seconds,
)
SIZE: Quantity[int] = Quantity(
    'a size such as "200 MB"',
    'write a number and its unit, kB, MB, GB, KiB, MiB or GiB: "200 MB"',
    (str, int),
    _parse_size,
)
PERCENT: Quantity[float] = Quantity(
    'a share such as "10%"',
    'write a share in percent: "10%", or 10',
    (str, int, float),
    _parse_percent,
)
MODE: Quantity[int] = Quantity(
    'permission bits such as "0755"',
    'write octal digits in quotes: "0755", or "0644"',
    (str,),
    _parse_mode,
)
