"""What a registry has of the images of a push, and what follows for their blobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.publish.crew import Crew
from orchestrator.publish.outgoing import OutgoingImage
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import (
    BlobInfo,
    CredentialsError,
    RefusedError,
    Registry,
)


@dataclass(frozen=True, slots=True)
class Survey:
    """What is there already.

    `tags` are the digests that tags name now; an image is `complete` where its manifests are in
    its repository, and with them all their blobs. `blobs` are those found of other images, and
    `elsewhere` those that a likely source has.
    """

    tags: Mapping[tuple[Repository, str], str | None]
    complete: frozenset[Repository]
    blobs: frozenset[tuple[Repository, str]] = frozenset()
    elsewhere: Mapping[tuple[str, str], Repository] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BlobPlan:
    """How one blob comes to where it is wanted, on one host.

    `source` has it already; without one it is uploaded to the first of `targets`, which is the
    source of the rest then.
    """

    blob: BlobInfo
    source: Repository | None
    targets: tuple[Repository, ...]


def survey_images(registry: Registry, crew: Crew, images: Sequence[OutgoingImage]) -> Survey:
    """Ask a registry what it has; nothing is written.

    A manifest that is there is not asked about its blobs: a registry keeps what manifests name.

    Raises:
        RegistryError: It does not answer, or not to this user.
    """
    named = crew.each(
        lambda image: registry.find_manifests(image.repository, tuple(image.named)), images
    ).raise_first()
    tags = {(i.repository, tag): named[i].get(tag) for i in images for tag in i.named}
    complete = set()
    open_images = []
    for image in images:
        wanted = {tag: manifest.digest for tag, manifest in image.named.items()}
        if wanted and all(tags[image.repository, tag] == wanted[tag] for tag in wanted):
            complete.add(image.repository)
        else:
            open_images.append(image)

    def has_manifests(image: OutgoingImage) -> bool:
        return all(
            registry.find_manifest(image.repository, manifest.digest) == manifest.digest
            for manifest in image.manifests
        )

    found = crew.each(has_manifests, open_images).raise_first()
    complete |= {image.repository for image, whole in found.items() if whole}
    lacking = [image for image in open_images if image.repository not in complete]
    keys = {(image.repository, blob.digest) for image in lacking for blob in image.blobs}
    there = crew.each(lambda key: registry.has_blob(*key), sorted(keys)).raise_first()
    blobs = frozenset(key for key, whether in there.items() if whether)
    survey = Survey(tags, frozenset(complete), blobs)
    homeless = [plan for plan in plan_blobs(images, survey) if plan.source is None]
    return Survey(tags, survey.complete, blobs, _look_elsewhere(registry, crew, lacking, homeless))


def plan_blobs(images: Iterable[OutgoingImage], survey: Survey) -> tuple[BlobPlan, ...]:
    """Decide how each blob that lacks somewhere gets there, the largest first.

    A blob is uploaded once for each host at most, however many images share it.
    """
    having: dict[tuple[str, str], Repository] = dict(survey.elsewhere)
    lacking: dict[tuple[str, BlobInfo], list[Repository]] = {}
    for image in images:
        host = image.repository.host
        for blob in image.blobs:
            is_here = (image.repository, blob.digest) in survey.blobs
            if is_here or image.repository in survey.complete:
                having.setdefault((host, blob.digest), image.repository)
            else:
                lacking.setdefault((host, blob), []).append(image.repository)
    plans = [
        BlobPlan(blob, having.get((host, blob.digest)), tuple(targets))
        for (host, blob), targets in lacking.items()
    ]
    return tuple(sorted(plans, key=lambda plan: (-plan.blob.size_bytes, plan.blob.digest)))


def _look_elsewhere(
    registry: Registry, crew: Crew, images: Iterable[OutgoingImage], homeless: Iterable[BlobPlan]
) -> dict[tuple[str, str], Repository]:
    """Look for blobs where what the images stand on lies."""
    sources = {image.repository: image.sources for image in images}

    def look(plan: BlobPlan) -> Repository | None:
        for source in dict.fromkeys(s for target in plan.targets for s in sources[target]):
            if source in plan.targets:
                continue
            try:
                if registry.has_blob(source, plan.blob.digest):
                    return source
            except (CredentialsError, RefusedError):
                continue  # one that may not be read has nothing for us
        return None

    found = crew.each(look, homeless).raise_first()
    return {(source.host, plan.blob.digest): source for plan, source in found.items() if source}
