"""Which packages a person wants moved, and why some stay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from orchestrator.errors import ResolutionError, WorkspaceError
from orchestrator.graph import Graph
from orchestrator.lockfile import Lock, Package
from orchestrator.model import Platform, Workspace
from orchestrator.resolve.explained import unknown_package
from orchestrator.resolve.inputs import read_constraints, read_tree_requirements, wanted_debs
from orchestrator.resolve.lock import Upgrade
from orchestrator.resolve.python.requirements import RequirementLine

_OPTION = "--upgrade-package"


@dataclass(frozen=True, slots=True)
class Move:
    """A package whose version changed; an empty version is none."""

    name: str
    platform: Platform
    old: str
    new: str

    def __str__(self) -> str:
        """Return the move as a line."""
        return f"{self.name} {self.old or '(none)'} -> {self.new or '(none)'} ({self.platform})"


def read_upgrade(
    workspace: Workspace, graph: Graph, lock: Lock, packages: Iterable[str]
) -> Upgrade:
    """Read packages to upgrade, `NAME` or `NAME==VERSION`, of Debian or of Python.

    Where both have the name, both are meant; an exact version is then Python's.

    Raises:
        WorkspaceError: No image holds or asks for it (the hint has the nearest name), or what
            is asked for is no version.
        ResolutionError: A line rules the exact version out.
    """
    asked = [item for name in graph.recipes for item in wanted_debs(workspace, graph, name)]
    debs = {item.partition("=")[0] for item in asked}
    debs |= {deb.name for adds in lock.images.values() for deb in adds.debs}
    lines = _lines(workspace)
    python = {line.name for line in lines}
    python |= {wheel.name for adds in lock.images.values() for wheel in adds.wheels}
    names: list[str] = []
    exact_lines: list[RequirementLine] = []
    exact_debs: dict[str, str] = {}
    for package in packages:
        given, _, version = (part.strip() for part in package.partition("=="))
        name = given if given in debs else canonicalize_name(given)
        if name not in debs | python:
            raise unknown_package(given, debs | python)
        names.append(name)
        if version and name in python:
            exact_lines.append(_exact_line(name, version, lines))
        elif version:
            exact_debs[name] = version
    return Upgrade(packages=names, exact_lines=tuple(exact_lines), exact_debs=exact_debs)


def explain_stays(
    workspace: Workspace, before: Lock, after: Lock, upgrade: Upgrade
) -> Iterator[str]:
    """Yield a note for each package that was to move, did not, and is pinned by a line."""
    moved = {move.name for move in find_moves(before, after)}
    for line in _lines(workspace):
        pins = [spec for spec in line.requirement.specifier if spec.operator in {"==", "==="}]
        if line.name in upgrade.packages and line.name not in moved and pins:
            yield f"{line.name} stays as it is: {line.where} says {line}"


def _lines(workspace: Workspace) -> list[RequirementLine]:
    requirements = read_tree_requirements(workspace).values()
    return [*(line for lines in requirements for line in lines), *read_constraints(workspace)]


def _exact_line(name: str, version: str, lines: Iterable[RequirementLine]) -> RequirementLine:
    try:
        exact = RequirementLine(Requirement(f"{name}=={version}"), _OPTION)
    except InvalidRequirement:
        raise WorkspaceError(
            f"{name}=={version}: {version!r} is no version", hint=f"{_OPTION} NAME==VERSION"
        ) from None
    for line in lines:
        if line.name == name and not line.allows(version):
            raise ResolutionError(
                f"{name} {version} is ruled out by {line} ({line.where})",
                hint="change that line, then run: orch lock",
            )
    return exact


def find_moves(before: Lock, after: Lock) -> tuple[Move, ...]:
    """Return what moved, came or went, by name and platform."""
    old, new = _versions(before), _versions(after)
    return tuple(
        Move(name, platform, old.get((name, platform), ""), new.get((name, platform), ""))
        for name, platform in sorted(old.keys() | new.keys())
        if old.get((name, platform)) != new.get((name, platform))
    )


def _versions(lock: Lock) -> dict[tuple[str, Platform], str]:
    """Return each package's version; several, where images have different ones."""
    versions: dict[tuple[str, Platform], set[str]] = {}
    for (_, platform), adds in lock.images.items():
        packages: tuple[Package, ...] = (*adds.debs, *adds.wheels)
        for package in packages:
            versions.setdefault((package.name, platform), set()).add(package.version)
    return {key: ", ".join(sorted(found)) for key, found in versions.items()}
