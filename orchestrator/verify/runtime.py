"""What runs containers, as whoever observes them sees it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from orchestrator.engines.docker.trial import Confined, ContainerState


class Container(Protocol):
    """A container that an image is tried in; its errors are OrchError."""

    def start(self) -> None:
        """Start it."""
        ...

    def pause(self, seconds: float) -> None:
        """Let time pass; raises InterruptedByUserError when all is stopped."""
        ...

    def state(self) -> ContainerState:
        """Say how it is."""
        ...

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        """Run a command in it; return exit code and output."""
        ...

    def log(self) -> str:
        """Return what it wrote to its outputs."""
        ...

    def signal(self, name: str) -> None:
        """Send its first process a signal."""
        ...

    def written(self) -> tuple[tuple[str, bool], ...]:
        """Return paths that differ from the image, and whether each was there before."""
        ...


class Runtime(Protocol):
    """Makes containers, which are removed when the block ends."""

    def container(self, confined: Confined) -> AbstractContextManager[Container]:
        """Give a container that is not started."""
        ...
