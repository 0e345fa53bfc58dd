"""Credentials for ECR's registries, renewed as they run out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from orchestrator.publish.credentials import Credentials
from orchestrator.publish.ecr.api import Ecr
from orchestrator.publish.reference import Repository

_SHARE_LEFT = 0.1
_LEAST_S = 60.0
"""A token that seems to have run out when it comes is used all the same: a clock is wrong."""


class EcrLogin:
    """Finds the credentials of one host by ECR, those of others elsewhere; thread-safe."""

    def __init__(
        self, ecr: Ecr, host: str, elsewhere: Callable[[Repository], Credentials | None]
    ) -> None:
        self._ecr, self._host, self._elsewhere = ecr, host, elsewhere
        self._current: Credentials | None = None
        self._given: dict[Repository, Credentials] = {}
        self._lock = threading.Lock()

    def find(self, repository: Repository) -> Credentials | None:
        """Return a token that all repositories share.

        Whoever asks again for the same repository was refused with it, or it has run out: a new
        one is asked for then.

        Raises:
            EcrError: ECR gives none.
        """
        if repository.host != self._host:
            return self._elsewhere(repository)
        with self._lock:
            current = self._current
            if current is None or self._given.get(repository) is current:
                current = self._current = self._renewed()
            self._given[repository] = current
            return current

    def _renewed(self) -> Credentials:
        given = self._ecr.authorise()
        life_s = max(given.left_s * (1 - _SHARE_LEFT), _LEAST_S)
        return Credentials(given.user, given.password, renew_at_s=time.monotonic() + life_s)
