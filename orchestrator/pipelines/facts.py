"""What the files of a pipeline depend on, besides `[ci]` of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from orchestrator.model import CiSettings


class Login(Enum):
    """How a runner comes by credentials for the registry."""

    NONE = "none"
    HOST = "host"
    """The host of CI has credentials for its own registry."""
    SECRETS = "secrets"
    AWS = "aws"
    """The host of CI vouches for the job (OpenID Connect), and Amazon lends it a role."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A workspace as its pipelines see it.

    `host` is the registry's, empty where nothing is published; `region` is Amazon's. `stages` is
    how many tiers are built one after the other. `depth` is how much history tags need, 0 for
    all. `builds_dockerfiles` wants a Docker engine.
    """

    ci: CiSettings
    settings_file: str
    host: str
    login: Login
    region: str
    platforms: tuple[str, ...]
    stages: int
    depth: int
    is_locked: bool
    deploys: bool
    builds_dockerfiles: bool

    @property
    def publishes(self) -> bool:
        """Tell whether images go to a registry."""
        return bool(self.host)
