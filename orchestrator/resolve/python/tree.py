"""Python packages for the whole tree: one version for everyone, each image its own part."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from packaging.utils import canonicalize_name

from orchestrator.errors import ResolutionError
from orchestrator.graph import Graph
from orchestrator.resolve.python.requirements import RequirementLine
from orchestrator.resolve.python.uv import NoSolutionError, Target, Uv

_NO_SOURCE = re.compile(
    r"no wheels with a matching|not found in|there is no version of|no usable wheels"
)
_JOBS = 4

T = TypeVar("T")
Pins = Mapping[str, str]


class ConflictError(ResolutionError):
    """An image asks for a version that one of its ancestors rules out."""


@dataclass(frozen=True, slots=True)
class Tree:
    """What all images ask for: lines by image, constraints, and what they are made for.

    Of a previous lock the `preferred` versions are kept where possible; those of the projects
    in `moving` are to move, and others only as far as that asks for it.
    """

    graph: Graph
    lines: Mapping[str, tuple[RequirementLine, ...]]
    constraints: tuple[RequirementLine, ...]
    targets: Mapping[str, Target]
    preferred: Pins = field(default_factory=dict)
    moving: frozenset[str] = frozenset()

    def chain_lines(self, name: str) -> tuple[RequirementLine, ...]:
        """Return what an image and its ancestors ask for, the root's lines first."""
        return tuple(line for image in self.graph.chain(name) for line in self.lines[image.name])


@dataclass(slots=True)
class Resolved:
    """The answer: what each image adds, and why some could not be answered."""

    adds: dict[str, Pins] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    split: dict[str, tuple[str, ...]] = field(default_factory=dict)


def resolve_tree(tree: Tree, uv: Uv) -> Resolved:
    """Resolve the images of `tree.targets`, so that each adds only what its ancestors lack.

    First all requirements are resolved together; where that works, every image gets the same
    version of a package. Images whose own requirements have no source are set aside. Where
    images rule each other's versions out, each is resolved on its ancestors' versions alone.

    Raises:
        ConflictError: An image contradicts an ancestor; both sides are named.
        NoSolutionError: Nothing satisfies an image's requirements.
    """
    resolved = Resolved()
    together = _resolve_together(tree, uv, list(tree.targets))
    if together is None:
        resolved.unavailable = _set_aside(tree, uv)
        rest = [name for name in tree.targets if name not in resolved.unavailable]
        together = _resolve_together(tree, uv, rest)
    closures: dict[str, Pins] = {}
    for tier in _by_tier(tree):
        names = [name for name in tier if name not in resolved.unavailable]
        work = functools.partial(_closure, tree, uv, together, dict(closures))
        closures |= _in_parallel(names, work)
    for name, closure in closures.items():
        held = closures.get(_parent(tree, name) or "", {})
        resolved.adds[name] = {key: closure[key] for key in sorted(closure) if key not in held}
    resolved.split = _split_versions(closures)
    return resolved


def _resolve_together(tree: Tree, uv: Uv, names: Iterable[str]) -> dict[Target, Pins] | None:
    """Resolve all requirements at once, target by target; None where they exclude each other."""
    lines: dict[Target, dict[str, RequirementLine]] = {}
    for name in names:
        wanted = lines.setdefault(tree.targets[name], {})
        wanted |= {str(line): line for line in tree.chain_lines(name)}
    try:
        return {target: _keeping(tree, uv, wanted, target) for target, wanted in lines.items()}
    except NoSolutionError:
        return None


def _keeping(
    tree: Tree, uv: Uv, wanted: Mapping[str, RequirementLine], target: Target
) -> dict[str, str]:
    """Resolve with as many versions of the previous lock as possible.

    All of them are asked for first; where that fails, each where it fits. The second way alone
    would do, but uv weighs a preferred version by the first index that has it, and an index
    may hold a version's wheels for one platform only: so what is found without any preference
    is at hand as the last way.
    """
    constraints = [str(line) for line in tree.constraints]
    asked = [*wanted.values(), *tree.constraints]
    preferred = {
        name: pin
        for name, pin in tree.preferred.items()
        if all(line.allows(pin) for line in asked if line.name == name)
    }
    if preferred:
        pins = [f"{name}=={pin}" for name, pin in preferred.items()]
        with contextlib.suppress(NoSolutionError):
            return uv.compile_pins(wanted, [*constraints, *pins], target)
    anew = uv.compile_pins(wanted, constraints, target)
    if preferred:
        with contextlib.suppress(NoSolutionError):
            return uv.compile_pins(wanted, constraints, target, preferred, cached=True)
    return anew


def _set_aside(tree: Tree, uv: Uv) -> dict[str, str]:
    """Return the images whose requirements have no source here, with the reason."""
    constraints = [str(line) for line in tree.constraints]

    def reason(name: str) -> str:
        lines = [str(line) for line in tree.chain_lines(name)]
        try:
            uv.compile_pins(lines, constraints, tree.targets[name], cached=True)
        except NoSolutionError as error:
            return error.message if _NO_SOURCE.search(error.message) else ""
        return ""

    return {name: why for name, why in _in_parallel(list(tree.targets), reason).items() if why}


def _closure(
    tree: Tree,
    uv: Uv,
    together: Mapping[Target, Pins] | None,
    closures: Mapping[str, Pins],
    name: str,
) -> Pins:
    lines = tree.chain_lines(name)
    if not lines:
        return {}
    target = tree.targets[name]
    held = closures.get(_parent(tree, name) or "", {})
    if not tree.lines[name]:
        return held
    pins = together[target] if together is not None else held
    constraints = [*(f"{key}=={pin}" for key, pin in pins.items())]
    if together is None:
        constraints += [str(line) for line in tree.constraints]
    try:
        found = uv.compile_pins(map(str, lines), constraints, target, cached=True)
    except NoSolutionError as error:
        _explain_conflict(tree, name, held)
        raise error.during(f"locking {name} for {target.platform}") from error
    return {canonicalize_name(key): pin for key, pin in found.items()}


def _explain_conflict(tree: Tree, name: str, held: Pins) -> None:
    """Raise where a line of the image contradicts what an ancestor or a constraint holds."""
    for line in tree.lines[name]:
        pin = held.get(line.name)
        if pin and not line.allows(pin):
            raise ConflictError(
                f"{name} wants {line} ({line.where}), but it stands on "
                f"{_holder(tree, name, line.name, pin)}",
                hint=f"drop the line to use {line.name} {pin}, or move the base's version",
            )
        for other in tree.constraints:
            pins = [spec.version for spec in other.requirement.specifier if spec.operator == "=="]
            if other.name == line.name and any(not line.allows(pin) for pin in pins):
                raise ConflictError(
                    f"{name} wants {line} ({line.where}), but {other.where} pins {other}",
                    hint="change one of the two lines",
                )


def _holder(tree: Tree, name: str, package: str, pin: str) -> str:
    for image in tree.graph.chain(name)[:-1]:
        for line in tree.lines[image.name]:
            if line.name == package:
                return f"{image.name}, which holds {package} {pin} ({line.where})"
    for image in tree.graph.chain(name)[:-1]:
        if tree.lines[image.name]:
            where = tree.lines[image.name][0].where.rsplit(":", 1)[0]
            return f"{image.name}, whose requirements ({where}) bring {package} {pin} with them"
    return f"a base that holds {package} {pin}"


def _parent(tree: Tree, name: str) -> str | None:
    parents = tree.graph.parents[name]
    return parents[0] if parents else None


def _by_tier(tree: Tree) -> list[list[str]]:
    tiers: dict[int, list[str]] = {}
    for name in tree.targets:
        tiers.setdefault(tree.graph.tiers[name], []).append(name)
    return [tiers[tier] for tier in sorted(tiers)]


def _in_parallel(names: list[str], work: Callable[[str], T]) -> dict[str, T]:
    with ThreadPoolExecutor(_JOBS) as pool:
        return dict(zip(names, pool.map(work, names), strict=True))


def _split_versions(closures: Mapping[str, Pins]) -> dict[str, tuple[str, ...]]:
    versions: dict[str, set[str]] = {}
    for closure in closures.values():
        for name, version in closure.items():
            versions.setdefault(name, set()).add(version)
    return {name: tuple(sorted(found)) for name, found in versions.items() if len(found) > 1}
