"""Moving some Debian packages, and of the others only those that must move with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.model import LockedDeb
from orchestrator.resolve.debian.packages import Universe
from orchestrator.resolve.debian.resolver import resolve_debs


def move_debs(
    universe: Universe,
    wanted: Sequence[str],
    held: Mapping[str, LockedDeb],
    preferred: Mapping[str, str],
    moving: Mapping[str, str],
) -> tuple[LockedDeb, ...]:
    """Resolve as `resolve_debs` does, with packages that are to move.

    `moving` maps their names to the version they are to have; an empty one is the version they
    would have if nothing were kept. `preferred` alone would keep them back wherever a preferred
    version of another package asks for the old one.

    Raises:
        ResolutionError: As for `resolve_debs`; an exact version is not offered.
    """
    if not moving:
        return resolve_debs(universe, wanted, held, preferred)
    anew = resolve_debs(universe, wanted, held, {})
    goals = [f"{deb.name}={moving[deb.name] or deb.version}" for deb in anew if deb.name in moving]
    return resolve_debs(universe, [*wanted, *goals], held, preferred)
