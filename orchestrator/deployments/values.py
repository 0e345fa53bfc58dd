"""What deployment files say of images: values, each with its place in the text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Form(Enum):
    """What kind of file names an image."""

    KUBERNETES = "Kubernetes"
    KUSTOMIZE = "Kustomize"
    HELM = "Helm values"
    COMPOSE = "Compose"


class Part(Enum):
    """Which part of a reference a scalar holds."""

    REFERENCE = "reference"
    REGISTRY = "registry"
    REPOSITORY = "repository"
    TAG = "tag"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a file's text, as offsets in characters; quotes of a scalar are within it.

    `line` and `column` are those of its start, counted from 1.
    """

    start: int
    end: int
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Written:
    """A scalar as the file has it, and the key it stands behind.

    Whoever replaces `text[span.start:span.end]` changes this value and nothing else.
    """

    part: Part
    text: str
    span: Span
    key: Span


@dataclass(frozen=True, slots=True)
class Room:
    """Where a mapping has room for another key: beside one that it has itself.

    `is_flow` tells of a mapping in braces. The value of an alias stands before its key.
    """

    key: Span
    value: Span
    is_flow: bool


@dataclass(frozen=True, slots=True)
class Port:
    """A port that a container says it listens on; `name` may be empty."""

    number: int
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Probe:
    """How a container is asked whether it is well; `path` is empty where no HTTP is spoken.

    `port` is 0 where the file does not tell it, or names a port that it does not declare.
    """

    kind: str
    port: int
    path: str
    span: Span


@dataclass(frozen=True, slots=True)
class ImageUse:
    """One image that a file names.

    `resource` is what uses it, as `Deployment/api`, and `container` where in it. `written` are the
    scalars that make up the reference: one, or several where repository and tag have keys of their
    own. `replaces` is the name that a Kustomize entry stands in for. `built` tells of a Compose
    service that has a `build` too. `blanks` are keys for parts of the reference that have no value
    yet, and `room` is where more of them may stand, where the parts have keys of their own.
    """

    file: str
    form: Form
    resource: str
    container: str
    reference: str
    written: tuple[Written, ...]
    ports: tuple[Port, ...] = ()
    probes: tuple[Probe, ...] = ()
    replaces: str = ""
    built: bool = False
    blanks: tuple[Written, ...] = ()
    room: Room | None = None

    @property
    def span(self) -> Span:
        """Return where the image is named: what names the repository comes first."""
        return self.written[0].span

    def part(self, part: Part) -> Written | None:
        """Return the scalar that holds a part; None where the file has none for it."""
        return next((one for one in self.written if one.part is part), None)

    def blank(self, part: Part) -> Written | None:
        """Return the empty scalar that is there for a part; None where there is none."""
        return next((one for one in self.blanks if one.part is part), None)


@dataclass(frozen=True, slots=True)
class Note:
    """Something in a file that was not read, and why."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class DeploymentFile:
    """A file, read: the images it names in the order of its text, and what was left out."""

    path: str
    uses: tuple[ImageUse, ...] = ()
    notes: tuple[Note, ...] = ()
