"""Which registry is spoken to, and how: every one by its protocol, ECR by its own interface too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.app.opened import Opened
from orchestrator.publish.credentials import Credentials, CredentialStore
from orchestrator.publish.crew import Crew
from orchestrator.publish.ecr.address import address_of, parse_host
from orchestrator.publish.ecr.api import Ecr
from orchestrator.publish.ecr.client import BotoEcr
from orchestrator.publish.ecr.login import EcrLogin
from orchestrator.publish.ecr.premises import EcrPremises, ScanGate
from orchestrator.publish.ecr.registry import EcrRegistry
from orchestrator.publish.ecr.wish import wish_of
from orchestrator.publish.http_registry import HttpRegistry
from orchestrator.publish.outgoing import OutgoingImage, Pushed, PushStatus
from orchestrator.publish.premises import OpenPremises, Premises
from orchestrator.publish.reference import Namespace, Repository
from orchestrator.publish.wire import Wire

_IN_PASSING_S = 20.0
_IN_PASSING_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Place:
    """A registry that is connected to; `ecr` is its own interface, where it is ECR's."""

    opened: Opened
    wire: Wire
    registry: HttpRegistry
    ecr: Ecr | None

    def premises(
        self,
        crew: Crew,
        now: datetime,
        notes: list[str],
        on_wait: Callable[[OutgoingImage], None],
    ) -> Premises:
        """Return what the registry's host wants of a push.

        Raises:
            WorkspaceError: The settings ask for what ECR cannot do.
        """
        if self.ecr is None:
            return OpenPremises()
        settings = self.opened.workspace.settings
        ecr = settings.ecr
        images = self.opened.workspace.images.items()
        gates = {
            name: image.recipe.gates.severity if image.recipe else "" for name, image in images
        }
        gate = ScanGate(
            {name: severity or ecr.severity for name, severity in gates.items()},
            ecr.exceptions,
            f"{now:%Y-%m-%d}",
            ecr.scan_timeout_s,
        )
        templates = {*settings.tags, *(t for image in settings.images.values() for t in image.tags)}
        return EcrPremises(
            self.ecr,
            crew,
            wish_of(ecr, templates),
            gate,
            self.wire.rest,
            notes,
            on_wait,
            ecr.create_repositories,
        )

    def tell_details(self, crew: Crew, images: Sequence[Pushed]) -> None:
        """Put what the registry knows of images that were pushed beside them.

        It is no more than evidence: whoever may not ask for it does without.
        """
        if self.ecr is None:
            return
        ecr = self.ecr
        asked = {item.image.repository.name: item for item in images}
        told = crew.each(
            lambda name: ecr.details(name, asked[name].digest),
            [name for name, item in asked.items() if item.status is PushStatus.PUSHED],
            keep_going=True,
        )
        for name, details in told.results.items():
            asked[name].details = details


@contextmanager
def connected(
    opened: Opened,
    namespace: Namespace,
    actions: str,
    on_bytes: Callable[[int], None] = lambda _: None,
    *,
    in_passing: bool = False,
) -> Iterator[Place]:
    """Speak to the registry of a namespace while the block runs.

    `actions` is what is to be done there: `pull` or `pull,push`. Asked `in_passing`, a registry
    that is out of reach is soon given up.

    Raises:
        WorkspaceError: The settings contradict the registry's name.
    """
    settings, host = opened.workspace.settings.ecr, namespace.host
    address = address_of(host, settings)
    ecr = BotoEcr(address, settings) if address else None
    find = CredentialStore().find
    wire = _wire(EcrLogin(ecr, host, find).find if ecr else find, actions, in_passing=in_passing)
    registry = EcrRegistry(wire, on_bytes, ecr, host) if ecr else HttpRegistry(wire, on_bytes)
    try:
        yield Place(opened, wire, registry, ecr)
    finally:
        wire.close()


@contextmanager
def reading(
    opened: Opened, host: str, *, in_passing: bool = False
) -> Iterator[tuple[Wire, HttpRegistry]]:
    """Read from the registry of an external image while the block runs; it may be anyone's.

    What the settings say of the workspace's own registry of ECR does not hold for others. Asked
    `in_passing`, a registry that is out of reach is soon given up.
    """
    settings, find = opened.workspace.settings.ecr, CredentialStore().find
    own = opened.workspace.settings.registry.partition("/")[0]
    address = address_of(host, settings) if host == own else parse_host(host)
    if address and host != own:
        settings = replace(settings, account="", region="")
    ecr = BotoEcr(address, settings) if address else None
    find = EcrLogin(ecr, host, find).find if ecr else find
    wire = _wire(find, "pull", in_passing=in_passing)
    try:
        yield wire, HttpRegistry(wire)
    finally:
        wire.close()


def _wire(
    find: Callable[[Repository], Credentials | None], actions: str, *, in_passing: bool
) -> Wire:
    if in_passing:
        return Wire(
            actions=actions, find=find, timeout_s=_IN_PASSING_S, attempts=_IN_PASSING_ATTEMPTS
        )
    return Wire(actions=actions, find=find)
