"""The plan: which images are to be built, and why. It decides and does nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import zip_longest

from orchestrator.fingerprint import Fingerprint, Input
from orchestrator.graph import Graph
from orchestrator.model import Image, Platform

_CHANGED = {
    "file": "file-changed",
    "mode": "mode-changed",
    "link": "link-changed",
    "recipe": "recipe-changed",
    "argument": "argument-changed",
    "package": "package-changed",
    "wheel": "wheel-changed",
    "parent": "parent-changed",
    "external": "external-changed",
    "platform": "platform-changed",
    "orch": "orch-changed",
}
_VERSION = ("orch", "fingerprint")
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_PARTS = re.compile(r"[\s:@]+")
_DIGITS = 12
_TEXT = 40


class Action(Enum):
    """What is to be done with an image."""

    BUILD = "build"
    REUSE = "reuse"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an image is to be built: a code of the contract, what it is about, and more.

    `old` and `new` are the values of the input that changed; None is what is not there.
    """

    code: str
    subject: str = ""
    detail: str = ""
    old: str | None = field(default=None, compare=False)
    new: str | None = field(default=None, compare=False)

    @property
    def sign(self) -> str:
        """Return `+` for what came, `-` for what went, `~` for what changed, else nothing."""
        if self.old is None and self.new is None:
            return " "
        return "~" if self.old is not None and self.new is not None else "-+"[self.old is None]

    def __str__(self) -> str:
        """Return the reason as a person reads it."""
        text = f"{self.code} {self.subject}".rstrip()
        return f"{text} ({self.detail})" if self.detail else text


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is remembered of an image's last build on a platform."""

    fingerprint: Fingerprint
    digest: str
    present: bool = True

    def without_image(self) -> Recorded:
        """Return the record of an image that is no longer there."""
        return replace(self, present=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One image of the plan: what is out of date about it, and why it cannot be made here."""

    image: Image
    platform: Platform
    tier: int
    action: Action
    fingerprint: Fingerprint
    reasons: tuple[Reason, ...] = ()
    digest: str = ""
    unavailable: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in topological order; those an image stands on come before it."""

    steps: Mapping[str, Step]

    @property
    def to_build(self) -> tuple[Step, ...]:
        """Return the steps that build."""
        return tuple(step for step in self.steps.values() if step.action is Action.BUILD)


def plan_builds(
    graph: Graph,
    platform: Platform,
    current: Mapping[str, Fingerprint],
    recorded: Mapping[str, Recorded],
    *,
    unavailable: Callable[[str], str | None] = lambda _: None,
    forced: Collection[str] = (),
) -> Plan:
    """Decide which images to build, and why.

    `current` has the images wanted and all they stand on. An image is stale when its inputs
    moved, its record or its image is missing, or it is forced. `unavailable` is asked of stale
    images only, why one cannot be made here; what stands on one that cannot, cannot either.
    Steps come in topological order, ties in workspace order, so equal inputs give an equal plan.
    """
    steps: dict[str, Step] = {}
    for name in graph.images:
        if name not in current:
            continue
        record = recorded.get(name)
        reasons = _reasons(current[name], record, forced=name in forced)
        why_not = (unavailable(name) if reasons else "") or _unavailable_parent(graph, steps, name)
        action = Action.BUILD if reasons else Action.REUSE
        if why_not:
            action = Action.UNAVAILABLE
        steps[name] = Step(
            graph.images[name],
            platform,
            graph.tiers[name],
            action,
            current[name],
            reasons,
            record.digest if record and action is Action.REUSE else "",
            why_not,
        )
    return Plan(steps)


def _unavailable_parent(graph: Graph, steps: Mapping[str, Step], name: str) -> str:
    for parent in graph.parents[name]:
        if parent in steps and steps[parent].action is Action.UNAVAILABLE:
            return f"it stands on {parent}, which is unavailable"
    return ""


def _reasons(current: Fingerprint, record: Recorded | None, *, forced: bool) -> tuple[Reason, ...]:
    if record is None:
        return (Reason("never-built"),)
    if current.digest != record.fingerprint.digest:
        changes = compare_inputs(record.fingerprint.inputs, current.inputs)
        return changes or (Reason("orch-changed", "fingerprint"),)
    if not record.present:
        return (Reason("image-missing", record.digest[:19]),)
    return (Reason("forced"),) if forced else ()


def compare_inputs(before: Collection[Input], after: Collection[Input]) -> tuple[Reason, ...]:
    """Return what differs between two sets of inputs, one reason each, in a stable order.

    Inputs that another version of orch named are not compared: its version is the one reason.
    """
    old = {(item.kind, item.subject): item.value for item in before}
    new = {(item.kind, item.subject): item.value for item in after}
    if old.get(_VERSION) != new.get(_VERSION):
        return tuple(_difference(*_VERSION, old.get(_VERSION), new.get(_VERSION)))
    reasons = []
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            reasons += _difference(*key, old.get(key), new.get(key))
    return tuple(reasons)


def _difference(kind: str, subject: str, old: str | None, new: str | None) -> list[Reason]:
    if kind == "mode" and (old is None or new is None):
        return []
    if kind in {"file", "link"} and old is None:
        return [Reason("file-added", subject, old=old, new=new)]
    if kind in {"file", "link"} and new is None:
        return [Reason("file-removed", subject, old=old, new=new)]
    shown = [_short(kind, value) for value in (old, new)]
    if shown[0] == shown[1]:
        shown = _where_they_part(old or "", new or "")
    code = _CHANGED.get(kind, "orch-changed")
    return [Reason(code, subject, " -> ".join(shown), old, new)]


def _short(kind: str, value: str | None) -> str:
    """Return a version, the beginning of a digest, or of a text, as fits in a line."""
    if value is None:
        return "(none)"
    if kind in {"package", "wheel"}:
        return value.partition(" ")[0]
    if digest := _SHA256.fullmatch(value):
        return digest[1][:_DIGITS]
    text = " ".join(value.split())
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}..."


def _where_they_part(old: str, new: str) -> list[str]:
    """Return what differs of values that begin alike, such as other bytes of one version."""
    parts = zip_longest(_PARTS.split(old), _PARTS.split(new), fillvalue="")
    return next(([a[:_DIGITS], b[:_DIGITS]] for a, b in parts if a != b), [old, new])
