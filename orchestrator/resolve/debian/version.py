"""The order of Debian versions (Debian Policy 5.6.12)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

_RUNS = re.compile(r"(\D*)(\d*)")
_LETTERS_LAST = 256
_END = 0
_TILDE = -1

VersionKey = tuple[
    int, tuple[tuple[tuple[int, ...], int], ...], tuple[tuple[tuple[int, ...], int], ...]
]

_OPERATORS: Mapping[str, Callable[[VersionKey, VersionKey], bool]] = MappingProxyType(
    {
        "<<": operator.lt,
        "<=": operator.le,
        "=": operator.eq,
        ">=": operator.ge,
        ">>": operator.gt,
        # What dpkg still reads: the old spellings mean "or equal" (deb-control(5)).
        "<": operator.le,
        ">": operator.ge,
    }
)


@lru_cache(maxsize=1 << 16)
def version_key(version: str) -> VersionKey:
    """Return a key that sorts versions `[epoch:]upstream[-revision]` as dpkg does.

    Raises:
        ValueError: The epoch is no number.
    """
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, hyphen, revision = rest.rpartition("-")
    if not hyphen:
        upstream, revision = rest, "0"
    if not (epoch.isascii() and epoch.isdigit()):
        raise ValueError(f"the epoch of version {version!r} is no number")
    return int(epoch), _part_key(upstream), _part_key(revision)


def satisfies(version: str, relation: str, bound: str) -> bool:
    """Tell whether `version` stands in `relation` (`<<`, `<=`, `=`, `>=`, `>>`) to `bound`."""
    return _OPERATORS[relation](version_key(version), version_key(bound))


def _part_key(part: str) -> tuple[tuple[tuple[int, ...], int], ...]:
    # The last match of `_RUNS` is always empty: it marks the end, which sorts after a tilde.
    return tuple(
        ((*map(_weight, text), _END), int(digits or 0))
        for text, digits in _RUNS.findall(part or "0")
    )


def _weight(character: str) -> int:
    if character == "~":
        return _TILDE
    return ord(character) if character.isalpha() else ord(character) + _LETTERS_LAST
