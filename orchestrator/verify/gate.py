"""What a gate is, what it judges, and what it can come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from orchestrator.model import Gates, Image, ImageKind, Platform
from orchestrator.oci.layer import Layer
from orchestrator.verify.components import Component, Origin, components_of, owners_of
from orchestrator.verify.contents import Contents
from orchestrator.verify.observed import Observed


class Result(Enum):
    """What a gate came to."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not-checked"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A gate's result, a sentence on why, what was measured, and what it was held against.

    Keys of `evidence` and `limits` carry their units; values are of JSON's types.
    """

    result: Result
    says: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Former:
    """An image of the same name that passed before."""

    digest: str
    unpacked_bytes: int


@dataclass(frozen=True)
class Subject:
    """An image on trial: how it is defined, what it holds, and what a container of it showed.

    `locked` are the names of the Python projects that the lock puts into it. Without `observed`,
    `unobserved` says why no container was run.
    """

    image: Image
    platform: Platform
    digest: str
    layers: tuple[Layer, ...]
    config: Mapping[str, Any]
    contents: Contents
    venv: str = "/opt/venv"
    locked: tuple[str, ...] = ()
    optional_libraries: tuple[str, ...] = ()
    fetched: tuple[str, ...] = ()
    former: Former | None = None
    observed: Observed | None = None
    unobserved: str = ""

    @property
    def gates(self) -> Gates:
        """Return the limits that are set for it."""
        return self.image.recipe.gates

    @property
    def is_service(self) -> bool:
        """Tell whether it is to be started."""
        return self.image.kind is ImageKind.SERVICE

    @cached_property
    def components(self) -> tuple[Component, ...]:
        """Return what it consists of, the biggest first."""
        return components_of(self.contents, self.fetched)

    @cached_property
    def owners(self) -> Mapping[str, tuple[Origin, str]]:
        """Return which package each file is of."""
        return owners_of(self.contents)

    @property
    def size_bytes(self) -> int:
        """Return what its layers weigh in a registry."""
        return sum(layer.size_bytes for layer in self.layers)

    @cached_property
    def unpacked_bytes(self) -> int:
        """Return what its layers weigh where it runs, with what layers above hide."""
        here = sum(file.size_bytes for file in self.contents.files.values())
        return here + self.contents.hidden_bytes


@dataclass(frozen=True, slots=True)
class Gate:
    """One thing that is proved of an image; `judge` returns None where it is not asked of it."""

    id: str
    title: str
    judge: Callable[[Subject], Verdict | None]


def passed(says: str, **evidence: Any) -> Verdict:
    """Return that a gate is passed."""
    return Verdict(Result.PASSED, says, evidence)


def failed(says: str, **evidence: Any) -> Verdict:
    """Return that a gate is not passed."""
    return Verdict(Result.FAILED, says, evidence)


def not_checked(why: str) -> Verdict:
    """Return that nothing can be said, and why."""
    return Verdict(Result.NOT_CHECKED, why)


def listed(items: list[str], shown: int = 5) -> str:
    """Return the first few of many, and how many more there are."""
    more = f", and {len(items) - shown} more" if len(items) > shown else ""
    return ", ".join(items[:shown]) + more
