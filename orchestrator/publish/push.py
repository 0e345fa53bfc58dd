"""A push: blobs, then manifests, then what was sent read back, and only then tags."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from orchestrator.errors import OrchError
from orchestrator.publish.crew import Crew
from orchestrator.publish.outgoing import (
    Attached,
    OutgoingImage,
    Pushed,
    PushStatus,
    TagStatus,
    Transfer,
)
from orchestrator.publish.premises import OpenPremises, Premises
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import (
    CredentialsError,
    RefusedError,
    Registry,
)
from orchestrator.publish.survey import BlobPlan, Survey, plan_blobs, survey_images
from orchestrator.publish.tags import move_tag, read_back


class PushObserver(Protocol):
    """Watches a push; called from several threads."""

    def surveyed(self, images: int, upload_bytes: int) -> None:
        """Take note of how many images there are, and of how much is to be sent."""
        ...

    def sent(self, size_bytes: int) -> None:
        """Take note of bytes that went out."""
        ...

    def examining(self, image: OutgoingImage) -> None:
        """Take note of an image whose findings are waited for."""
        ...

    def finished(self, pushed: Pushed) -> None:
        """Take note of what came of an image."""
        ...


@dataclass(frozen=True, slots=True)
class Push:
    """What a push needs: a registry, threads, where blobs lie, who watches, whose place it is."""

    registry: Registry
    crew: Crew
    blob_path: Callable[[str], Path]
    observer: PushObserver
    premises: Premises = field(default_factory=OpenPremises)
    beside: Callable[[OutgoingImage], int] = lambda _: 0
    """Stores what goes beside an image, before the image; returns how many bytes were sent."""
    attest: Callable[[OutgoingImage], Sequence[Attached]] = lambda _: ()
    """Attaches documents to an image that is there; returns which it has then."""
    attests_unchanged: bool = False

    def run(self, images: Sequence[OutgoingImage], *, dry_run: bool = False) -> list[Pushed]:
        """Publish images; no tag moves before all of them are there, read back and examined.

        The first failure stops what has not begun, and then no tag is touched. When a tag
        cannot be moved, the others still are. When the user interrupts, nothing more is sent, and
        what is returned says what there is by then.

        Raises:
            RegistryError: The registry does not say what it has; nothing was sent.
        """
        return _Run(self, images).run(dry_run=dry_run)


class _Run:
    def __init__(self, push: Push, images: Sequence[OutgoingImage]) -> None:
        self._registry, self._crew = push.registry, push.crew
        self._premises, self._beside, self._attest = push.premises, push.beside, push.attest
        self._attests_unchanged = push.attests_unchanged
        self._blob_path, self._observer = push.blob_path, push.observer
        self._images = images
        self._began_s = time.monotonic()
        self._pushed = {image.repository: Pushed(image) for image in images}
        self._lock = threading.Lock()

    def run(self, *, dry_run: bool) -> list[Pushed]:
        try:
            self._publish(dry_run=dry_run)
        except KeyboardInterrupt:
            self._crew.stop()
            self._cut_short()
        for pushed in self._pushed.values():
            pushed.duration_s = pushed.duration_s or time.monotonic() - self._began_s
            self._observer.finished(pushed)
        return list(self._pushed.values())

    def _publish(self, *, dry_run: bool) -> None:
        survey = survey_images(self._registry, self._crew, self._images)
        plans = plan_blobs(self._images, survey)
        upload_bytes = sum(plan.blob.size_bytes for plan in plans if plan.source is None)
        self._observer.surveyed(len(self._images), upload_bytes)
        self._note_blobs(plans, dry_run=dry_run)
        for image in self._images:
            self._compare_tags(image, survey)
        lacking = [image for image in self._images if image.repository not in survey.complete]
        places = [image.repository for image in lacking]
        unprepared = self._premises.prepare(places, dry_run=dry_run)
        if not dry_run:
            self._carry_out(plans, lacking, survey, unprepared)

    def _cut_short(self) -> None:
        """Say of what was not settled that it was given up; tags that moved stay noted."""
        for pushed in self._pushed.values():
            if pushed.status in {PushStatus.PLANNED, PushStatus.CANCELLED}:
                pushed.give_up()

    def _note_blobs(self, plans: Sequence[BlobPlan], *, dry_run: bool) -> None:
        """Note what need not be sent; in a dry run also how the rest would come."""
        for image in self._images:
            self._pushed[image.repository].blobs = dict.fromkeys(image.blobs, Transfer.SKIPPED)
        for plan in plans:
            for place, target in enumerate(plan.targets):
                is_upload = plan.source is None and place == 0
                how = Transfer.UPLOADED if is_upload else Transfer.MOUNTED
                if dry_run:
                    self._pushed[target].blobs[plan.blob] = how
                else:
                    del self._pushed[target].blobs[plan.blob]

    def _compare_tags(self, image: OutgoingImage, survey: Survey) -> None:
        """Note which tags are right already; where all are, the image is done."""
        pushed = self._pushed[image.repository]
        pushed.digest = image.top.digest
        pushed.tags = {
            tag: TagStatus.UNCHANGED
            if survey.tags[image.repository, tag] == manifest.digest
            else TagStatus.PLANNED
            for tag, manifest in image.named.items()
        }
        is_done = set(pushed.tags.values()) == {TagStatus.UNCHANGED}
        pushed.status = PushStatus.UNCHANGED if is_done else PushStatus.PLANNED

    def _carry_out(
        self,
        plans: Sequence[BlobPlan],
        lacking: Sequence[OutgoingImage],
        survey: Survey,
        unprepared: Mapping[Repository, OrchError],
    ) -> None:
        pending = [item for item in self._images if not self._is_done(item)]
        for image in pending:
            self._pushed[image.repository].cancel()
        for repository, error in unprepared.items():
            self._fail((repository,), error)
        if unprepared:
            return
        sent = self._crew.each(self._bring, plans)
        for plan, error in sent.errors.items():
            self._fail(plan.targets, error)
        if sent.errors:
            return
        stored = self._crew.each(self._store, lacking)
        for image, error in stored.errors.items():
            self._fail((image.repository,), error)
        if stored.errors:
            return
        if not self._pass(pending):
            return
        tagged = self._crew.each(
            lambda image: self._tag(image, survey.tags), pending, keep_going=True
        )
        for image, error in tagged.errors.items():
            self._fail((image.repository,), error)

    def _is_done(self, image: OutgoingImage) -> bool:
        return self._pushed[image.repository].status is PushStatus.UNCHANGED

    def _bring(self, plan: BlobPlan) -> None:
        """Bring a blob to all repositories that lack it."""
        source = plan.source
        for target in plan.targets:
            how = Transfer.MOUNTED
            if source is None or not self._mounts(target, plan.blob.digest, source):
                path = self._blob_path(plan.blob.digest)
                self._registry.write_blob(target, plan.blob, path)
                how, source = Transfer.UPLOADED, target
            with self._lock:
                self._pushed[target].blobs[plan.blob] = how

    def _mounts(self, target: Repository, digest: str, source: Repository) -> bool:
        try:
            return self._registry.mount_blob(target, digest, source)
        except (CredentialsError, RefusedError):
            return False  # uploading tells whether it is the target that is refused

    def _store(self, image: OutgoingImage) -> None:
        """Store an image's manifests under their digests, and read them back."""
        self._pushed[image.repository].beside_bytes = self._beside(image)
        for manifest in image.manifests:
            self._registry.write_manifest(image.repository, manifest.digest, manifest)
            read_back(self._registry, image.repository, manifest.digest, manifest)

    def _pass(self, images: Sequence[OutgoingImage]) -> bool:
        """Tell whether images may be tagged: examined, all of them, and then attested."""
        examined = self._crew.each(self._premises.examine, images, keep_going=True)
        errors = dict(examined.errors)
        for image, verdict in examined.results.items():
            self._pushed[image.repository].verdict = verdict
            if verdict is not None and verdict.error is not None:
                errors[image] = verdict.error
        for image, error in errors.items():
            self._fail((image.repository,), error)
        return not errors and self._attach(self._images if self._attests_unchanged else images)

    def _attach(self, images: Sequence[OutgoingImage]) -> bool:
        """Attach documents to images; tell whether all are attached that must be."""
        attached = self._crew.each(self._attest, images, keep_going=True)
        for image, referrers in attached.results.items():
            self._pushed[image.repository].referrers = referrers
        for image, error in attached.errors.items():
            self._fail((image.repository,), error)
        return not attached.errors

    def _tag(
        self, image: OutgoingImage, before: Mapping[tuple[Repository, str], str | None]
    ) -> None:
        pushed = self._pushed[image.repository]
        for tag, manifest in image.named.items():
            if before[image.repository, tag] == manifest.digest:
                pushed.tags[tag] = TagStatus.UNCHANGED
                continue
            move_tag(self._registry, image.repository, tag, manifest)
            pushed.tags[tag] = TagStatus.MOVED
        pushed.status, pushed.digest = PushStatus.PUSHED, image.top.digest
        pushed.duration_s = time.monotonic() - self._began_s

    def _fail(self, repositories: Sequence[Repository], error: OrchError) -> None:
        for repository in repositories:
            pushed = self._pushed[repository]
            pushed.status, pushed.error = PushStatus.FAILED, pushed.error or error
