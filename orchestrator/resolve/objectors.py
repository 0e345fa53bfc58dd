"""Who keeps a project from its latest version: asked of uv, read in its explanation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from orchestrator.resolve.edges import Edges, find_chain
from orchestrator.resolve.explanations import Line
from orchestrator.resolve.python.offered import Target
from orchestrator.resolve.python.requirements import RequirementLine
from orchestrator.resolve.python.uv import NoSolutionError, Uv

_JOBS = 4
_ASKS = (
    r"(?<![\w.-])([A-Za-z0-9][\w.-]*?)(?:\[[^\]]*\])?(?:[<>=!~]\S*)? depends? on "
    r"{name}(?:\[[^\]]*\])?([<>=!~]\S+)"
)


def find_objectors(
    uv: Uv,
    latest: Mapping[str, str],
    lines: list[RequirementLine],
    pins: Mapping[str, str],
    target: Target,
) -> dict[str, tuple[Line, ...]]:
    """Ask for each latest version beside the pins of all others, and read who objects.

    Raises:
        FetchError: The indexes are out of reach.
    """
    if not latest:
        return {}
    wanted = [str(line) for line in lines]
    exact = {name: f"{name}=={pin}" for name, pin in pins.items()}
    try:
        edges = uv.compile_edges(wanted, exact.values(), target)[1]
    except NoSolutionError:  # images exclude each other
        return {}

    def ask(item: tuple[str, str]) -> tuple[Line, ...]:
        name, version = item
        try:
            bounds = exact | {name: f"{name}=={version}"}
            uv.compile_pins(wanted, bounds.values(), target, cached=True)
        except NoSolutionError as error:
            return _objector(error.message, name, version, lines, edges)
        return ()

    with ThreadPoolExecutor(_JOBS) as pool:
        return dict(zip(latest, pool.map(ask, latest.items()), strict=True))


def _objector(
    said: str, name: str, version: str, lines: list[RequirementLine], edges: Edges
) -> tuple[Line, ...]:
    """Return the package that rules a version out, at the line that brings it."""
    for found in re.finditer(_ASKS.format(name=re.escape(name)), said):
        asker, clause = canonicalize_name(found[1]), found[2].rstrip(",.")
        if not _excludes(clause, version):
            continue
        text = f"{asker} needs {name}{clause}"
        chains = [(find_chain(edges, line.name, asker), line) for line in lines]
        known = [(len(chain), line) for chain, line in chains if chain is not None]
        where = min(known, key=lambda item: item[0])[1].where if known else ""
        return (Line(text, where, name=asker),)
    return ()


def _excludes(clause: str, version: str) -> bool:
    try:
        specifier = SpecifierSet(clause)
    except InvalidSpecifier:
        return False
    return not specifier.contains(version, prereleases=True)
