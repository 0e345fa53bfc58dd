"""Names in Docker: given when all is built, taken off what nobody wants any more."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from orchestrator.engines.docker.engine import DockerEngine
from orchestrator.engines.docker.presence import private_tag
from orchestrator.ports import Outcome, Status


def name_in_docker(outcomes: Mapping[str, Outcome], docker: DockerEngine) -> None:
    """Tag `NAME:latest` what was built of Dockerfiles.

    Raises:
        OrchError: The engine refuses a tag.
    """
    for name, outcome in outcomes.items():
        if outcome.status is Status.BUILT and outcome.step.image.build is not None:
            docker.tag(outcome.digest, f"{name}:latest")


def prune_superseded(
    before: Collection[tuple[str, str]], after: Collection[tuple[str, str]], docker: DockerEngine
) -> None:
    """Take the private tags off images, as name and digest, that were recorded and are no more.

    An image goes with its last tag: one that has other names stays, and so does one that a
    container stands on. Nothing is touched that this workspace's records did not know.

    Raises:
        OrchError: The engine does not answer.
    """
    for name, digest in sorted(set(before) - set(after)):
        docker.untag(private_tag(name, digest))
