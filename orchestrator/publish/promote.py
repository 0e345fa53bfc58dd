"""Retagging in a registry: an image that has one tag gets another, without being pulled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.errors import OrchError
from orchestrator.publish.crew import Crew
from orchestrator.publish.outgoing import TagStatus
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import Manifest, NotPublishedError, Registry
from orchestrator.publish.tags import move_tag


@dataclass(frozen=True, slots=True)
class Promoted:
    """What came of promoting an image; `digest` is the one that both tags name now."""

    name: str
    repository: Repository
    digest: str = ""
    status: TagStatus = TagStatus.UNTOUCHED
    error: OrchError | None = None

    @property
    def is_missing(self) -> bool:
        """Tell whether there was nothing to promote."""
        return isinstance(self.error, NotPublishedError)


def promote(
    registry: Registry, crew: Crew, images: Mapping[str, Repository], old: str, new: str
) -> list[Promoted]:
    """Let `new` name what `old` names, for images by name; the digests stay.

    All are looked up before any is tagged. Where one cannot be read, none is tagged; one that
    has no `old` is left out, with the error that says so.
    """
    done: dict[str, Promoted] = {}
    repositories = {repository: name for name, repository in images.items()}
    found = crew.each(
        lambda place: registry.read_manifest(place, old), images.values(), keep_going=True
    )
    for place, error in found.errors.items():
        done[repositories[place]] = Promoted(repositories[place], place, error=error)
    if all(promoted.is_missing for promoted in done.values()):

        def move(item: tuple[Repository, Manifest]) -> TagStatus:
            if registry.find_manifest(item[0], new) == item[1].digest:
                return TagStatus.UNCHANGED
            move_tag(registry, item[0], new, item[1])
            return TagStatus.MOVED

        moved = crew.each(move, found.results.items(), keep_going=True)
        for (place, manifest), status in moved.results.items():
            name = repositories[place]
            done[name] = Promoted(name, place, manifest.digest, status)
        for (place, manifest), problem in moved.errors.items():
            name = repositories[place]
            done[name] = Promoted(name, place, manifest.digest, error=problem)
    return [done.get(name) or Promoted(name, place) for name, place in images.items()]
