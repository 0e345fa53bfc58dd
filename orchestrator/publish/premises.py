"""What a host wants beside the registry's own protocol: repositories made, images examined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from orchestrator.errors import OrchError
from orchestrator.publish.findings import Verdict
from orchestrator.publish.outgoing import OutgoingImage
from orchestrator.publish.reference import Repository


class Premises(Protocol):
    """A registry's host; called from several threads."""

    def prepare(
        self, repositories: Sequence[Repository], *, dry_run: bool
    ) -> Mapping[Repository, OrchError]:
        """See that repositories are there that will be written to; return why some are not.

        Raises:
            OrchError: The host does not say what is there.
        """
        ...

    def examine(self, image: OutgoingImage) -> Verdict | None:
        """Return what an image that is stored was found to hold; None where nobody looks.

        Raises:
            OrchError: It cannot be said.
        """
        ...


class OpenPremises:
    """A host that makes repositories by itself and examines nothing."""

    def prepare(
        self, repositories: Sequence[Repository], *, dry_run: bool
    ) -> Mapping[Repository, OrchError]:
        """Return no errors."""
        del repositories, dry_run
        return {}

    def examine(self, image: OutgoingImage) -> Verdict | None:
        """Return nothing."""
        del image
        return None
