"""What wheels say they need, read from the wheels themselves."""

from __future__ import annotations

import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from orchestrator.resolve.edges import Edges, Need
from orchestrator.resolve.python.requirements import RequirementLine

Requires = Callable[[str], tuple[Requirement, ...] | None]
"""Gives what a project's locked version needs, by its name; None where that is not known."""


def read_requires(wheel: Path) -> tuple[Requirement, ...] | None:
    """Return a wheel's `Requires-Dist`; None where the file is absent or no wheel.

    Source: core metadata specifications, 2.1 and later.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            name = next(
                name
                for name in archive.namelist()
                if name.count("/") == 1 and name.endswith(".dist-info/METADATA")
            )
            raw, _ = parse_email(archive.read(name))
            return tuple(Requirement(text) for text in raw.get("requires_dist", ()))
    except (OSError, StopIteration, zipfile.BadZipFile, InvalidRequirement):
        return None


def edges_of(
    lines: Iterable[RequirementLine], requires: Requires, environment: Mapping[str, str]
) -> Edges | None:
    """Return who needs whom among all that lines bring; None where one does not tell.

    `environment` holds the variables of markers. A project's extras count where somebody asks
    for them.
    """
    edges: dict[str, set[Need]] = {}
    roots = (line.requirement for line in lines if line.applies(environment))
    pending = deque((canonicalize_name(root.name), frozenset(root.extras)) for root in roots)
    seen: set[tuple[str, frozenset[str]]] = set()
    while pending:
        name, extras = pending.popleft()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        needs = requires(name)
        if needs is None:
            return None
        for need in needs:
            if not _applies(need, extras, environment):
                continue
            needed = canonicalize_name(need.name)
            if needed != name:
                text = f"{needed}{need.specifier}"
                edges.setdefault(name, set()).add(Need(needed, text))
            pending.append((needed, frozenset(need.extras)))
    return {name: tuple(sorted(needs)) for name, needs in edges.items()}


def _applies(need: Requirement, extras: Iterable[str], environment: Mapping[str, str]) -> bool:
    marker = need.marker
    return marker is None or any(
        marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras)
    )
