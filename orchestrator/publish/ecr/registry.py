"""A registry of ECR: the protocol of all registries, and many look-ups in one request."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestrator.publish.ecr.api import Ecr
from orchestrator.publish.http_registry import HttpRegistry
from orchestrator.publish.reference import Repository
from orchestrator.publish.wire import Wire


class EcrRegistry(HttpRegistry):
    """Asks ECR itself what tags name, on its own host."""

    def __init__(self, wire: Wire, on_bytes: Callable[[int], None], ecr: Ecr, host: str) -> None:
        super().__init__(wire, on_bytes)
        self._ecr, self._host = ecr, host

    def find_manifests(self, repository: Repository, pointers: Sequence[str]) -> dict[str, str]:
        """Ask for all at once; what ECR says nothing of is asked for one by one."""
        if repository.host != self._host or not pointers:
            return super().find_manifests(repository, pointers)
        found = self._ecr.find(repository.name, pointers)
        open_ones = [p for p in pointers if p not in found.digests and p not in found.absent]
        return {**found.digests, **super().find_manifests(repository, open_ones)}
