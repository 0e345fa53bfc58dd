"""Why packages are there and what bears on them, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from orchestrator.model import Platform


class Kind(Enum):
    """Whose package it is."""

    PYTHON = "python"
    DEBIAN = "debian"


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody wrote that names a package: its text, its place, and the image, if any."""

    text: str
    where: str
    image: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """A package on a chain, with its locked version; `text` is how the one before asks for it."""

    name: str
    version: str
    text: str


@dataclass(frozen=True, slots=True)
class Chain:
    """The way from what an image asks for to a package, that package last."""

    line: Line
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A package at one version, as one image adds it: the one that must change to move it.

    `held_by` are that image and all that stand on it. `needed_by` are the packages that ask for
    it directly, each with how it asks; they and the chains are of all these images.
    """

    kind: Kind
    name: str
    version: str
    form: str
    files: tuple[str, ...]
    platforms: tuple[Platform, ...]
    added_by: str
    held_by: tuple[str, ...]
    chains: tuple[Chain, ...] = ()
    needed_by: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Explained:
    """A package of the lock; `bounds` are the lines that name it."""

    name: str
    held: tuple[Held, ...]
    bounds: tuple[Line, ...]
