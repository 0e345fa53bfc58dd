"""What an image needs beside its own packages so that wheels can be built in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.errors import ResolutionError
from orchestrator.model import LockedDeb
from orchestrator.resolve.debian import Universe, resolve_debs

_COMPILING = ("gcc", "g++", "make", "libc6-dev", "pkg-config")
_CONFIGURING = ("diffutils", "findutils", "gawk", "grep", "gzip", "patch", "sed", "tar")
"""What the scripts of builds use, and every system that is not an image has."""


def wanted_tools(python: str, essential: Sequence[str], system: Sequence[str]) -> tuple[str, ...]:
    """Return the Debian packages that building needs, `system` those that a project asks for."""
    headers = (f"python{python}", f"python{python}-dev")
    return tuple(dict.fromkeys((*essential, *headers, *_COMPILING, *_CONFIGURING, *system)))


def resolve_tools(
    universe: Universe, held: Mapping[str, LockedDeb], wanted: Sequence[str]
) -> tuple[LockedDeb, ...]:
    """Return what an image holds together with packages to build with.

    What it holds stays as it is. Where the archives have moved on, and so have no headers that
    fit it any more, what it holds moves with them.

    Raises:
        ResolutionError: A package is not offered, or no choice satisfies everybody.
    """
    missing = [item for item in wanted if item.partition("=")[0] not in held]
    versions = {name: deb.version for name, deb in held.items()}
    try:
        return (*held.values(), *resolve_debs(universe, missing, held, versions))
    except ResolutionError:
        return resolve_debs(universe, [*held, *missing], {}, versions)
