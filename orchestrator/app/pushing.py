"""`orch push`: images that are up to date go to a registry; tags move there."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestrator.app.attesting import Attestations
from orchestrator.app.opened import Opened, at_work
from orchestrator.app.publishable import Collected, Publishables, collect
from orchestrator.app.registries import connected
from orchestrator.app.remote import RemoteLayers
from orchestrator.attest.artifacts import DocumentKind
from orchestrator.errors import WorkspaceError
from orchestrator.publish.crew import Crew
from orchestrator.publish.outgoing import OutgoingImage, Pushed, PushStatus
from orchestrator.publish.promote import Promoted
from orchestrator.publish.promote import promote as promote_images
from orchestrator.publish.push import Push, PushObserver
from orchestrator.publish.reference import Namespace, is_digest
from orchestrator.publish.registry import Registry
from orchestrator.select import Selection
from orchestrator.tagging import TAG_HINT, is_tag

if TYPE_CHECKING:
    from orchestrator.app.inventories import Inventories

JOBS = 8


@dataclass(frozen=True, slots=True)
class PushOptions:
    """What to push, and where; no `tags` and an empty `registry` mean those of the settings.

    With `tags` that are empty, images get the tags of their content alone. With `attest`, all
    selected images must have their documents, unchanged ones too; with False none gets any.
    """

    selection: Selection = field(default_factory=Selection)
    tags: tuple[str, ...] | None = None
    registry: str = ""
    jobs: int = JOBS
    dry_run: bool = False
    attest: bool | None = None


@dataclass(slots=True)
class PushRun:
    """What a push came to; `unavailable` says why images are not to be had here."""

    namespace: Namespace
    started: datetime
    unavailable: Mapping[str, str]
    images: list[Pushed] = field(default_factory=list)
    duration_s: float = 0.0
    is_dry: bool = False
    notes: list[str] = field(default_factory=list)
    was_interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Tell whether nothing failed and nothing was left undone."""
        bad = {PushStatus.FAILED, PushStatus.CANCELLED}
        return not self.was_interrupted and not any(pushed.status in bad for pushed in self.images)


@at_work
def push(opened: Opened, options: PushOptions, observer: PushObserver) -> PushRun:
    """Publish the selected images, and read back what the registry has then.

    When the user interrupts, the run says what was sent by then, and what was cancelled.

    Raises:
        WorkspaceError: The request or the workspace is wrong, or an image is not up to date.
        OrchError: The registry does not answer; what fails of an image is with the image.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    namespace = namespace_of(opened, options.registry)
    collected = collect(opened, options.selection)
    run = PushRun(namespace, started, collected.unavailable, is_dry=options.dry_run)
    outgoing = Publishables(opened, namespace, options.tags, started, run.notes)
    images = [outgoing.image(name, steps) for name, steps in collected.steps.items()]
    run.notes[:0] = collected.notes
    actions = "pull" if options.dry_run else "pull,push"
    with connected(opened, namespace, actions, observer.sent) as place:
        crew = Crew(options.jobs, place.wire.stop)
        try:
            premises = place.premises(crew, started, run.notes, observer.examining)
            beside = _beside(opened, place.registry, run.notes)
            blob_path = RemoteLayers(opened).path
            pushing = Push(
                place.registry,
                crew,
                blob_path,
                observer,
                premises,
                beside,
                _attestations(opened, place.registry, collected, run.notes, options).attach,
                attests_unchanged=bool(options.attest),
            )
            run.images = pushing.run(images, dry_run=options.dry_run)
            run.was_interrupted = crew.was_stopped
            if not run.was_interrupted:
                place.tell_details(crew, run.images)
        finally:
            crew.close()
        for pushed in run.images:
            pushed.retries = place.wire.retries[pushed.image.repository]
    if options.selection.changed:
        run.images = [item for item in run.images if item.status is not PushStatus.UNCHANGED]
    run.duration_s = time.monotonic() - clock
    return run


def _beside(opened: Opened, registry: Registry, notes: list[str]) -> Callable[[OutgoingImage], int]:
    """Return what stores that which goes beside an image; opened when the first is pushed."""

    @functools.cache
    def inventories() -> Inventories:
        from orchestrator.app.inventories import Inventories  # noqa: PLC0415 - slow to import

        return Inventories(opened, registry, notes)

    turn = threading.Lock()

    def store(image: OutgoingImage) -> int:
        with turn:  # threads that begin at once share one
            shared = inventories()
        return shared.store(image)

    return store


def _attestations(
    opened: Opened,
    registry: Registry,
    collected: Collected,
    notes: list[str],
    options: PushOptions,
) -> Attestations:
    settings = opened.workspace.settings.attest
    documents = () if options.attest is False else settings.documents
    return Attestations(
        opened,
        registry,
        collected.steps,
        notes,
        tuple(map(DocumentKind, documents)),
        settings.required or bool(options.attest),
    )


def promote(opened: Opened, options: PushOptions, old: str, new: str) -> list[Promoted]:
    """Let the tag `new` name what `old` names, for the selected images; nothing is pulled.

    Raises:
        WorkspaceError: The request or the workspace is wrong.
    """
    for text, is_good in ((old, is_tag(old) or is_digest(old)), (new, is_tag(new))):
        if not is_good:
            raise WorkspaceError(f"{text!r} cannot be a tag", hint=TAG_HINT)
    namespace = namespace_of(opened, options.registry)
    names = options.selection.choose(opened.graph)
    images = {name: namespace.repository(name) for name in names}
    with connected(opened, namespace, "pull,push") as place:
        crew = Crew(options.jobs, place.wire.stop)
        try:
            return promote_images(place.registry, crew, images, old, new)
        finally:
            crew.close()


def namespace_of(opened: Opened, given: str = "") -> Namespace:
    """Return where images go: what was given, else what the settings say.

    Raises:
        WorkspaceError: Neither says it, or it is no place in a registry.
    """
    settings = opened.workspace.settings
    if given:
        return Namespace.parse(given)
    if not settings.registry:
        raise WorkspaceError(
            "no registry to push to",
            file=settings.file,
            hint='write registry = "HOST/PREFIX" there, or give --registry',
        )
    try:
        return Namespace.parse(settings.registry)
    except WorkspaceError as error:
        raise WorkspaceError(error.message, file=settings.file, hint=error.hint) from None
