"""A folder of wheels with a uv that sees nothing else, for tests of resolving."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.model import Platform
from orchestrator.resolve.python.indexes import Indexes
from orchestrator.resolve.python.offered import Target
from orchestrator.resolve.python.uv import Uv
from tests.wheels import make_sdist, make_wheel

TARGET = Target(Platform("linux", "amd64"), "3.11", (2, 36))


@dataclass(frozen=True)
class House:
    """Wheels in a folder, beside an index that is empty."""

    folder: Path

    @property
    def wheels(self) -> Path:
        return self.folder / "wheels"

    def add(self, *packages: str, tag: str = "py3-none-any") -> None:
        """Add wheels: `NAME VERSION`, or `NAME VERSION: REQUIREMENT, REQUIREMENT`."""
        for package in packages:
            what, _, needs = package.partition(":")
            name, version = what.split()
            requires = [line.strip() for line in needs.split(",") if line.strip()]
            make_wheel(self.wheels, name, version, tag=tag, requires=requires)

    def add_sdist(self, name: str, version: str) -> None:
        make_sdist(self.wheels, name, version)

    def remove(self, name: str) -> None:
        for file in self.wheels.glob(f"{name}-*"):
            file.unlink()

    @property
    def indexes(self) -> Indexes:
        (self.folder / "index").mkdir(parents=True, exist_ok=True)
        self.wheels.mkdir(exist_ok=True)
        return Indexes((self.folder / "index").as_uri(), (), (str(self.wheels),))

    def uv(self) -> Uv:
        return Uv(self.indexes, self.folder / "uv-cache", offline=True)
