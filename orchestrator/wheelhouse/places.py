"""Places where wheels can be built: what is asked of each, and what is said where none will do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from orchestrator.errors import OrchError, UnavailableError
from orchestrator.model import WheelBuild, WheelSettings
from orchestrator.resolve.python.offered import Target
from orchestrator.wheelhouse.running import Builds
from orchestrator.wheelhouse.toolchain import SHARED, Toolchain


class BuildIn(Enum):
    """Where wheels are to be built: `AUTO` is on this machine where that will do."""

    AUTO = "auto"
    HOST = "host"
    CONTAINER = "container"


class LackingBuildError(UnavailableError):
    """An sdist cannot be built in a place, for want of what it is built with."""


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What a wheel is built from: files on the disk, and values for the build's variables."""

    build: WheelBuild
    target: Target
    toolchain: Toolchain
    sdist: Path
    requires: Mapping[str, Path]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """A build's folders: the unpacked sdist is `source`, the wheel is to be in `out`.

    All of it is below `scratch`, which nobody shares. `time_s` stands for today.
    """

    scratch: Path
    source: Path
    time_s: int
    log: Path

    @property
    def out(self) -> Path:
        """Return the folder that the build leaves its wheel in."""
        return self.scratch / "out"

    def add(self, line: str) -> None:
        """Write a line into the log."""
        with self.log.open("a", encoding="utf-8") as out:
            out.write(f"{line}\n")


class BuildPlace(Protocol):
    """A place where wheels can be built.

    `where` says so in a sentence ("on this machine"), `name` is what may lack something.
    """

    where: str
    name: str

    def find(self, build: WheelBuild, target: Target, asked: WheelSettings) -> Toolchain:
        """Return what a wheel would be built with.

        Raises:
            UnavailableError: It cannot be built there; the message says why.
        """
        ...

    def run(self, given: Ingredients, work: Work, builds: Builds) -> bool:
        """Run the build; tell whether it went well.

        Raises:
            InterruptedByUserError: It was stopped.
            OrchError: The place itself failed.
        """
        ...

    def remedy(self, packages: Sequence[str]) -> str:
        """Say how the place gets Debian packages, beside naming them in the settings."""
        ...


def nowhere(build: WheelBuild, reasons: Mapping[str, OrchError]) -> OrchError:
    """Return the error for a wheel that no place can build, from the reason of each."""
    if len(reasons) == 1:
        ((where, error),) = reasons.items()
        is_named = build.title in error.message
        return error if is_named else error.during(f"building {build.title} {where}")
    said = "\n".join(f"  {where}: {error.message}" for where, error in reasons.items())
    ways = [
        f"{where}: {error.hint.removesuffix(f'; {SHARED}')}"
        for where, error in reasons.items()
        if error.hint
    ]
    return LackingBuildError(
        f"{build.title} can be built neither {' nor '.join(reasons)}:\n{said}",
        hint="; ".join([*ways, SHARED]),
    )
