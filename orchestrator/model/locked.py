"""What a lock pins: Debian packages, wheels, and how wheels are built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from orchestrator.model.platform import Platform


@dataclass(frozen=True, slots=True)
class LockedDeb:
    """A Debian package, pinned; `path` is its pool path below a mirror's root."""

    name: str
    version: str
    architecture: str
    sha256: str
    size_bytes: int
    path: str

    @property
    def file(self) -> str:
        """Return the file's name, the last part of the pool path."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True, slots=True)
class LockedWheel:
    """A Python distribution file, pinned; an sdist where the index has no wheel for it."""

    name: str
    version: str
    file: str
    sha256: str
    size_bytes: int

    @property
    def is_wheel(self) -> bool:
        """Tell whether the file can be installed as it is (PEP 427)."""
        return self.file.endswith(".whl")


@dataclass(frozen=True, slots=True)
class WheelBuild:
    """How a wheel is built from an sdist for a platform, pinned, and what came of it.

    `settings` is the digest of what was asked for when it was pinned; `env` holds names of
    variables, never their values. `wheel` is None until the sdist was built.
    """

    sdist: LockedWheel
    platform: Platform
    requires: tuple[LockedWheel, ...] = ()
    system: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    settings: str = ""
    wheel: LockedWheel | None = None
    compiler: str = ""

    @property
    def name(self) -> str:
        """Return the project's name."""
        return self.sdist.name

    @property
    def title(self) -> str:
        """Return name and version, as people write them."""
        return f"{self.sdist.name} {self.sdist.version}"
