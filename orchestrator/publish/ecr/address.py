"""The hosts of Amazon ECR's private registries."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.errors import WorkspaceError
from orchestrator.model import EcrSettings

_HOST = re.compile(
    r"(?P<account>\d{12})\.dkr(?P<joint>[.-])ecr(?P<fips>-fips)?\.(?P<region>[a-z0-9-]+)\."
    r"(?P<suffix>amazonaws\.com(\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn"
    r"|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)"
)


@dataclass(frozen=True, slots=True)
class EcrAddress:
    """A private registry: whose it is, where it is, and how it is reached."""

    account: str
    region: str
    is_fips: bool = False
    is_dual_stack: bool = False

    def __str__(self) -> str:
        """Return account and region."""
        return f"{self.account} in {self.region}" if self.region else self.account


def parse_host(host: str) -> EcrAddress | None:
    """Read the host of a private registry; any other host, `public.ecr.aws` too, is None.

    Source: Amazon ECR, "Private registries" and "Amazon ECR service endpoints".
    """
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return None
    is_dual_stack = found["joint"] == "-"
    if is_dual_stack != found["suffix"].startswith("on."):
        return None
    return EcrAddress(found["account"], found["region"], bool(found["fips"]), is_dual_stack)


def address_of(host: str, settings: EcrSettings) -> EcrAddress | None:
    """Return which registry of ECR a host is, by its name or by the settings.

    Raises:
        WorkspaceError: The settings name another region than the host.
    """
    named = parse_host(host)
    if named is None:
        return EcrAddress(settings.account, settings.region) if settings.account else None
    if settings.region not in {"", named.region} and not settings.account:
        raise WorkspaceError(
            f"the registry {host} is in {named.region}, and region under [ecr] says "
            f"{settings.region}",
            hint="take region out: the host has it",
        )
    return named
