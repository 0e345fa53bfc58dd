"""Platforms: an operating system and an architecture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orchestrator.errors import WorkspaceError


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """An operating system and architecture, as the OCI image index names them."""

    os: str
    architecture: str

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read `linux/amd64`.

        Raises:
            WorkspaceError: The platform is none that images can be made for.
        """
        os, _, architecture = text.partition("/")
        platform = cls(os, architecture)
        if platform.key not in _ARCHITECTURES:
            known = ", ".join(sorted(_ARCHITECTURES))
            raise WorkspaceError(f"unknown platform {text!r}", hint=f"known are: {known}")
        return platform

    @property
    def key(self) -> str:
        """Return the platform as text, `linux/amd64`."""
        return f"{self.os}/{self.architecture}"

    @property
    def machine(self) -> str:
        """Return the kernel's name of the architecture, as wheels' tags use it: `x86_64`."""
        return _ARCHITECTURES[self.key].machine

    @property
    def debian(self) -> str:
        """Return Debian's name of the architecture: `amd64`, `arm64`."""
        return _ARCHITECTURES[self.key].debian

    @property
    def multiarch(self) -> str:
        """Return Debian's multiarch tuple: `x86_64-linux-gnu`."""
        return _ARCHITECTURES[self.key].multiarch

    @property
    def loader(self) -> str:
        """Return the path, without leading slash, of the dynamic loader."""
        return _ARCHITECTURES[self.key].loader

    def __str__(self) -> str:
        """Return the platform as text."""
        return self.key


@dataclass(frozen=True, slots=True)
class _Architecture:
    machine: str
    debian: str
    multiarch: str
    loader: str


_ARCHITECTURES: Mapping[str, _Architecture] = MappingProxyType(
    {
        "linux/amd64": _Architecture(
            "x86_64", "amd64", "x86_64-linux-gnu", "lib64/ld-linux-x86-64.so.2"
        ),
        "linux/arm64": _Architecture(
            "aarch64", "arm64", "aarch64-linux-gnu", "lib/ld-linux-aarch64.so.1"
        ),
    }
)
