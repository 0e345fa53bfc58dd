"""What is known of a build and its images, each fact with where it was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.model import StoragePrice


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an image was built, as its plan said."""

    code: str
    subject: str
    detail: str

    def __str__(self) -> str:
        """Return the reason as a person reads it."""
        text = f"{self.code} {self.subject}".rstrip()
        return f"{text} ({self.detail})" if self.detail else text


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of an image, the parent's first; a size of 0 is not known."""

    digest: str
    what: str
    size_bytes: int
    unpacked_bytes: int
    is_reused: bool


@dataclass(frozen=True, slots=True)
class Timing:
    """When an image was built, in seconds since the first of the run began.

    `waited_for` is the image it stands on that was done last, `waited_s` how long it could have
    begun and did not: others were at work. `is_critical` where the run hung on it.
    """

    started_s: float
    duration_s: float
    waited_for: str = ""
    waited_s: float = 0.0
    is_critical: bool = False

    @property
    def ended_s(self) -> float:
        """Return when it was done."""
        return self.started_s + self.duration_s


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with an image, what to do, and where its log is."""

    message: str
    hint: str
    log: str


@dataclass(frozen=True, slots=True)
class Published:
    """An image in a registry: the digest as read back from there."""

    reference: str
    digest: str
    status: str
    tags: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class GateFact:
    """What a gate came to, what it measured and what it held that against."""

    id: str
    title: str
    result: str
    says: str
    evidence: Mapping[str, Any]
    limits: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Component:
    """Something within an image that weighs: a package, or a file that was fetched."""

    kind: str
    name: str
    unpacked_bytes: int


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier build of an image, or this one; a size of 0 is not known."""

    started: str
    size_bytes: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """One image; where something was not found out, a `not_` field says why.

    `history` has the times it was built, the first of them first.
    """

    name: str
    platform: str
    tier: int
    parents: tuple[str, ...]
    status: str
    because: str
    reasons: tuple[Reason, ...]
    fingerprint: str
    digest: str
    size_bytes: int
    unpacked_bytes: int
    attempts: int
    layers: tuple[Layer, ...] = ()
    timing: Timing | None = None
    failure: Failure | None = None
    published: Published | None = None
    not_published: str = ""
    gates: tuple[GateFact, ...] = ()
    not_verified: str = ""
    components: tuple[Component, ...] = ()
    history: tuple[Past, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule of `orch check` found; `line` is None where it is about no line."""

    rule: str
    severity: str
    message: str
    image: str
    file: str
    line: int | None

    @property
    def where(self) -> str:
        """Return the place as `FILE:LINE`, as far as there is one."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Check:
    """A check of the whole workspace: when it was, of how many images, and what it found.

    `not_run` says of rules that could not look why.
    """

    started: str
    images: int
    findings: tuple[Finding, ...]
    suppressed: int
    not_run: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Storage:
    """What images weigh in the registry; `size_bytes` counts a layer once a repository."""

    images: int
    size_bytes: int
    price: StoragePrice | None

    @property
    def per_month(self) -> float | None:
        """Return what that costs a month; None without a price."""
        return self.size_bytes / 1e9 * self.price.per_gb_month if self.price else None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A build and what followed; images come in topological order.

    `run` is the id that the build's log events and its row in the history have. `outside` are
    images of the workspace that the build did not look at. `gaps` says in words what was not
    checked.
    """

    run: str
    started: str
    duration_s: float
    ok: bool
    notes: tuple[str, ...]
    images: tuple[ImageFacts, ...]
    critical_path: tuple[str, ...]
    outside: tuple[str, ...]
    pushed: str
    verified_with: str
    check: Check | None
    storage: Storage
    gaps: tuple[str, ...]

    def count(self, status: str) -> int:
        """Return how many images came to a status."""
        return sum(image.status == status for image in self.images)

    def held_back(self, name: str) -> tuple[str, ...]:
        """Return the images that were skipped since they stand on one that was not made."""
        missing = {name}
        for image in self.images:
            if image.status == "skipped" and missing.intersection(image.parents):
                missing.add(image.name)
        return tuple(image.name for image in self.images if image.name in missing - {name})

    def layers(self) -> tuple[tuple[ImageFacts, Layer], ...]:
        """Return every layer once, with the first image that has it."""
        found: dict[str, tuple[ImageFacts, Layer]] = {}
        for image in self.images:
            for layer in image.layers:
                found.setdefault(layer.digest, (image, layer))
        return tuple(found.values())
