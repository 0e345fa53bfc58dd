"""Python packages for the whole tree: one version for everyone, each image its own part."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from orchestrator.graph import Graph
from orchestrator.resolve.python.conflict import Dispute, explain_dispute
from orchestrator.resolve.python.offered import Target
from orchestrator.resolve.python.requirements import RequirementLine
from orchestrator.resolve.python.uv import NoSolutionError, Uv

_NO_SOURCE = re.compile(
    r"no wheels with a matching|not found in|there is no version of|no usable wheels"
)
_JOBS = 4

T = TypeVar("T")
Pins = Mapping[str, str]


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
    tree: Tree,
    uv: Uv,
    wanted: Iterable[str],
    target: Target,
    fixed: tuple[RequirementLine, ...] = (),
) -> dict[str, str]:
    """Resolve with as many versions of the previous lock as possible.

    All of them are asked for first; where that fails, each where it fits. The second way alone
    would do, but uv weighs a preferred version by the first index that has it, and an index
    may hold a version's wheels for one platform only: so what is found without any preference
    is at hand as the last way. `fixed` are constraints beside the tree's own.
    """
    wanted = tuple(wanted)
    lines = [*tree.constraints, *fixed]
    constraints = [str(line) for line in lines]
    asked = [*_lines_of(wanted), *lines]
    preferred = {
        name: pin
        for name, pin in tree.preferred.items()
        if all(line.allows(pin) for line in asked if line.name == name)
    }
    if tree.moving and preferred:
        return _moving(tree, uv, wanted, constraints, preferred, target)
    if preferred:
        with contextlib.suppress(NoSolutionError):
            return uv.compile_pins(wanted, [*constraints, *_exactly(preferred)], target)
    anew = uv.compile_pins(wanted, constraints, target)
    if preferred:
        with contextlib.suppress(NoSolutionError):
            return uv.compile_pins(wanted, constraints, target, preferred, cached=True)
    return anew


def _moving(
    tree: Tree,
    uv: Uv,
    wanted: tuple[str, ...],
    constraints: list[str],
    preferred: Pins,
    target: Target,
) -> dict[str, str]:
    """Give the projects that are to move the version they would have if nothing were kept.

    Then put back all other versions of the previous lock, but for those that this rules out.
    """
    anew = uv.compile_pins(wanted, constraints, target)
    goals = {name: pin for name, pin in anew.items() if name in tree.moving}
    constraints = [*constraints, *_exactly(goals)]

    def put_back(kept: Pins, more: Pins) -> Pins:
        both = {**kept, **more}
        with contextlib.suppress(NoSolutionError):
            uv.compile_pins(wanted, [*constraints, *_exactly(both)], target, cached=True)
            return both
        if len(more) == 1:
            return kept
        names = sorted(more)
        for half in (names[: len(names) // 2], names[len(names) // 2 :]):
            kept = put_back(kept, {name: more[name] for name in half})
        return kept

    kept = put_back({}, preferred)
    return uv.compile_pins(wanted, [*constraints, *_exactly(kept)], target, cached=True)


def _exactly(pins: Pins) -> list[str]:
    return [f"{name}=={pin}" for name, pin in pins.items()]


def _lines_of(texts: Iterable[str]) -> tuple[RequirementLine, ...]:
    return tuple(RequirementLine(Requirement(text), "") for text in texts)


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
    try:
        if together is not None:
            fixed = _exactly(together[target])
            found = uv.compile_pins(map(str, lines), fixed, target, cached=True)
        else:
            found = _keeping(tree, uv, map(str, lines), target, _lines_of(_exactly(held)))
    except NoSolutionError as error:
        asked, said = (tree.graph, name, tree.lines, tree.constraints), error.message
        explained = explain_dispute(Dispute(*asked, closures, target, said), uv)
        raise explained or error.during(f"locking {name} for {target.platform}") from error
    return {canonicalize_name(key): pin for key, pin in found.items()}


def _parent(tree: Tree, name: str) -> str | None:
    chain = tree.graph.chain(name)
    return chain[-2].name if len(chain) > 1 else None


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
