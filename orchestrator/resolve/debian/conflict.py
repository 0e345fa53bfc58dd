"""Says in a user's words why no set of packages satisfies everybody."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from orchestrator.errors import ResolutionError
from orchestrator.resolve.debian.candidates import Candidate, Candidates, Requirement

if TYPE_CHECKING:
    from resolvelib.resolvers import RequirementInformation

_MAX_CAUSES = 6


def explain_conflict(
    candidates: Candidates,
    roots: Iterable[Requirement],
    causes: Iterable[RequirementInformation[Requirement, Candidate]],
) -> ResolutionError:
    """Return the error for the requirements that could not be met together.

    Each is led by the chain of packages that asks for it, `ffmpeg -> libavdevice59 -> libfoo`.
    """
    asked_by = _find_askers(candidates, roots)
    lines = {_explain(candidates, cause.requirement, cause.parent, asked_by) for cause in causes}
    shown = sorted(lines)[:_MAX_CAUSES]
    if len(shown) == 1:
        message = shown[0]
    else:
        message = "\n  ".join(["these cannot stand side by side:", *shown])
    return ResolutionError(message, hint=_hint(candidates, causes))


def _explain(
    candidates: Candidates,
    requirement: Requirement,
    parent: Candidate | None,
    asked_by: Mapping[str, Candidate | None],
) -> str:
    chain = _chain(parent, asked_by)
    if requirement.is_conflict:
        who = " -> ".join(chain) or "the parent image"
        return f"{who}: conflicts with {requirement.text}{_held_suffix(candidates, requirement)}"
    path = " -> ".join([*chain, requirement.text])
    if not requirement.accepted:
        return f"{path}: {_why_nothing(candidates, requirement)}"
    return path


def _why_nothing(candidates: Candidates, requirement: Requirement) -> str:
    universe = candidates.universe
    name = requirement.text.strip("()").split(" ", 1)[0]
    held = candidates.held.get(name)
    if held is not None:
        return f"the parent image holds {held}"
    offered = candidates.of_name(name)
    where = f"{universe.suite} ({universe.architecture})"
    if offered:
        return f"{where} has {', '.join(str(c.deb) for c in offered)}"
    return f"{where} has no such package"


def _held_suffix(candidates: Candidates, requirement: Requirement) -> str:
    held = candidates.held.get(requirement.identifier)
    return f", the parent image holds {held}" if held is not None else ""


def _chain(parent: Candidate | None, asked_by: Mapping[str, Candidate | None]) -> list[str]:
    chain: list[str] = []
    seen: set[str] = set()
    while parent is not None and parent.identifier not in seen:
        seen.add(parent.identifier)
        if parent.deb is not None:
            chain.append(parent.deb.name)
        parent = asked_by.get(parent.identifier)
    return chain[::-1]


def _find_askers(
    candidates: Candidates, roots: Iterable[Requirement]
) -> Mapping[str, Candidate | None]:
    """Return who asks for each identifier within reach: the candidate nearest to the roots."""
    positive = [root for root in roots if not root.is_conflict]
    asked_by: dict[str, Candidate | None] = {root.identifier: None for root in positive}
    queue = deque(positive)
    while queue:
        for candidate in queue.popleft().accepted:
            for needed in candidates.dependencies(candidate):
                if not needed.is_conflict and needed.identifier not in asked_by:
                    asked_by[needed.identifier] = candidate
                    queue.append(needed)
    return asked_by


def _hint(
    candidates: Candidates,
    causes: Iterable[RequirementInformation[Requirement, Candidate]],
) -> str:
    held = sorted({c.requirement.identifier for c in causes} & candidates.held.keys())
    named = [name for name in candidates.held if any(name in c.requirement.text for c in causes)]
    names = held or named
    if names:
        return f"orch lock --upgrade {names[0]} moves the parent image's package too"
    return "leave out one of them, or pin a version that the others accept: NAME=VERSION"
