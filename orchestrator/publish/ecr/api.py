"""What is asked of ECR beside the registry's protocol, as a protocol, and what can go wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.publish.ecr.wish import Found, Wish
from orchestrator.publish.findings import Scan
from orchestrator.publish.outgoing import ImageDetails
from orchestrator.publish.registry import RegistryError


class EcrError(RegistryError):
    """ECR does not do what it was asked for."""


class NotAllowedError(EcrError):
    """This user may not do what was asked for; the message names the action."""


@dataclass(frozen=True, slots=True)
class Authorisation:
    """A user and a password for the registry's protocol; `left_s` is how long they hold."""

    user: str
    password: str = field(repr=False)
    left_s: float


@dataclass(frozen=True, slots=True)
class Present:
    """Which pointers name which digest, and which name nothing; of others nothing was said."""

    digests: Mapping[str, str]
    absent: frozenset[str]


class Ecr(Protocol):
    """One private registry's own interface; safe for several threads.

    Each call raises EcrError, with NotAllowedError where rights lack.
    """

    def authorise(self) -> Authorisation:
        """Return new credentials for pushing and pulling."""
        ...

    def describe(self, names: Sequence[str]) -> Mapping[str, Found]:
        """Return those repositories that are there."""
        ...

    def create(self, name: str, wish: Wish) -> bool:
        """Create a repository; tell whether it was not there before."""
        ...

    def lifecycle(self, name: str) -> str:
        """Return a repository's lifecycle policy, or nothing where it has none."""
        ...

    def find(self, name: str, pointers: Sequence[str]) -> Present:
        """Look up tags and digests of a repository, many in one request."""
        ...

    def details(self, name: str, digest: str) -> ImageDetails | None:
        """Return what is known of an image, or None where there is none."""
        ...

    def scan(self, name: str, digest: str) -> Scan:
        """Return how far an image's scan is, and what it found."""
        ...

    def start_scan(self, name: str, digest: str) -> bool:
        """Have an image scanned, if it may be; tell whether ECR can scan such an image."""
        ...
