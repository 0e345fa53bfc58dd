"""Says who wants what, and through which tier, where an image's requirements cannot be met."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from orchestrator.errors import ResolutionError
from orchestrator.graph import Graph
from orchestrator.resolve.edges import Edges, Need, find_chain
from orchestrator.resolve.python.offered import Target
from orchestrator.resolve.python.requirements import RequirementLine
from orchestrator.resolve.python.uv import NoSolutionError, Uv

Pins = Mapping[str, str]

_NEEDS = (
    r"(?<![\w.-]){asker}(?:\[[^\]]*\])?(?:[<>=!~]\S*)? depends? on "
    r"{name}(?:\[[^\]]*\])?([<>=!~]\S+)"
)


class ConflictError(ResolutionError):
    """An image asks for a version that one of its ancestors or a constraint rules out."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """An image whose requirements cannot be met on what its ancestors hold.

    `closures` has the pins of its ancestors by image, all they stand on included; `said` is
    uv's explanation.
    """

    graph: Graph
    image: str
    lines: Mapping[str, tuple[RequirementLine, ...]]
    constraints: tuple[RequirementLine, ...]
    closures: Mapping[str, Pins]
    target: Target
    said: str

    @property
    def ancestors(self) -> list[str]:
        """Return the images it stands on, the nearest first."""
        return [image.name for image in self.graph.chain(self.image)[-2::-1]]

    @property
    def held(self) -> Pins:
        """Return what its parent holds."""
        return self.closures.get(self.ancestors[0], {}) if self.ancestors else {}


def explain_dispute(dispute: Dispute, uv: Uv) -> ConflictError | None:
    """Return an error that names both sides, or None where they cannot be told.

    A side is a line, or the chain from a line to the project in dispute.
    """
    for line in dispute.lines[dispute.image]:
        against = _against(dispute, uv, line.name, line.requirement.specifier)
        if against:
            return _conflict(dispute, f"{line} ({line.where})", *against)
    with contextlib.suppress(NoSolutionError):
        return _explain_indirect(dispute, uv)
    return None


def _explain_indirect(dispute: Dispute, uv: Uv) -> ConflictError | None:
    """Look at what the image's own requirements bring where nothing stands against them."""
    own = dispute.lines[dispute.image]
    pins, edges = uv.compile_edges(map(str, own), (), dispute.target, _wished(dispute))
    found: list[tuple[bool, int, str, ConflictError]] = []
    for name in sorted(pins):
        for line in own:
            chain = find_chain(edges, line.name, name)
            if not chain:
                continue
            clause = _clause(dispute.said, (line.name, *(need.name for need in chain))[-2], name)
            version = SpecifierSet(f"=={pins[name]}")
            for specifier in (version, clause) if clause is None else (clause, version):
                against = _against(dispute, uv, name, specifier) if specifier else None
                if against:
                    guessed = specifier is version
                    said = f"brings {name} {pins[name]}" if guessed else f"needs {name}{specifier}"
                    steps = [*(f"needs {need.name}" for need in chain[:-1]), said]
                    wants = ", which ".join([f"{line} ({line.where})", *steps])
                    found.append((guessed, len(chain), name, _conflict(dispute, wants, *against)))
                    break
    return min(found, key=lambda item: item[:3])[3] if found else None


def _wished(dispute: Dispute) -> dict[str, str]:
    """Return versions to prefer, so that only what must differ from those held does."""
    exact = {
        line.name: spec.version
        for line in dispute.constraints
        for spec in line.requirement.specifier
        if spec.operator == "==" and "*" not in spec.version
    }
    return exact | dict(dispute.held)


def _against(dispute: Dispute, uv: Uv, name: str, wanted: SpecifierSet) -> tuple[str, str] | None:
    """Return what stands against a wish, a version that is held or a constraint, and a hint."""
    pin = dispute.held.get(name)
    if pin and not wanted.contains(pin, prereleases=True):
        return (
            f"it stands on {_holder(dispute, uv, name, pin)}",
            f"drop the line to use {name} {pin}, or move the base's version",
        )
    for other in dispute.constraints:
        pins = [spec.version for spec in other.requirement.specifier if spec.operator == "=="]
        if other.name == name and any(not wanted.contains(pin, prereleases=True) for pin in pins):
            return f"{other.where} pins {other}", "change one of the two lines"
    return None


def _conflict(dispute: Dispute, wants: str, against: str, hint: str) -> ConflictError:
    return ConflictError(f"{dispute.image} wants {wants}, but {against}", hint=hint)


def _holder(dispute: Dispute, uv: Uv, name: str, pin: str) -> str:
    """Name the images on the way to the one that adds a pin, and what it has it for."""
    holder = next(image for image in reversed(dispute.ancestors) if name in _of(dispute, image))
    way = dispute.ancestors[: dispute.ancestors.index(holder) + 1]
    return f"{' -> '.join(way)}, which holds {name} {pin} {_reason(dispute, uv, holder, name)}"


def _reason(dispute: Dispute, uv: Uv, holder: str, name: str) -> str:
    """Return the line that asks for what an image adds, after the project it is there for."""
    lines = [line for image in dispute.graph.chain(holder) for line in dispute.lines[image.name]]
    for line in reversed(lines):
        if line.name == name:
            return f"({line.where})"
    pins = _of(dispute, holder)
    edges: Edges = {}
    with contextlib.suppress(NoSolutionError):
        exact = [f"{key}=={version}" for key, version in pins.items()]
        edges = uv.compile_edges(map(str, lines), exact, dispute.target)[1]
    chains = [(line, find_chain(edges, line.name, name)) for line in reversed(lines)]
    known = [(len(chain), line, chain) for line, chain in chains if chain]
    if not known:
        return f"for {holder}'s requirements"
    _, line, chain = min(known, key=lambda item: item[0])
    return f"for {' -> '.join(_versions(line.name, chain[:-1], pins))} ({line.where})"


def _versions(start: str, steps: tuple[Need, ...], pins: Pins) -> Iterator[str]:
    for name in (start, *(step.name for step in steps)):
        yield f"{name} {pins.get(name, '')}".rstrip()


def _of(dispute: Dispute, image: str) -> Pins:
    return dispute.closures.get(image, {})


def _clause(said: str, asker: str, name: str) -> SpecifierSet | None:
    """Return what uv says that one project asks of another, where it says so."""
    found = re.search(_NEEDS.format(asker=re.escape(asker), name=re.escape(name)), said)
    with contextlib.suppress(InvalidSpecifier):
        return SpecifierSet(found[1].rstrip(",.")) if found else None
    return None
