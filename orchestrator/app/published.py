"""What a registry has already: images that need not be built here, layers that need not be made."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from orchestrator.app.inventories import ask_inventories
from orchestrator.app.opened import Opened
from orchestrator.app.planning import Planned
from orchestrator.app.pushing import JOBS, namespace_of
from orchestrator.app.registries import connected
from orchestrator.app.tag_values import templates_of
from orchestrator.elsewhere import Elsewhere
from orchestrator.engines.assembler.contents import contents_of
from orchestrator.engines.assembler.layers import files_key
from orchestrator.engines.assembler.published import Earlier, PublishedImage, find_user
from orchestrator.oci.image import Blob
from orchestrator.oci.layout import Layout
from orchestrator.plan import Action, Step
from orchestrator.publish.crew import Crew
from orchestrator.publish.pull import PulledImage, find_image
from orchestrator.publish.reference import Namespace, Reference, Repository
from orchestrator.publish.registry import NotPublishedError, Registry
from orchestrator.state import State
from orchestrator.tagging import content_tag


@dataclass(slots=True)
class Published:
    """What was found: images that are recorded now, and what is known of those still to build.

    `doubtful` are images whose content tag names something else than it says.
    """

    reused: tuple[str, ...] = ()
    earlier: Earlier = field(default_factory=Earlier)
    doubtful: tuple[str, ...] = ()


def find_published(planned: Planned, forced: Collection[str] = ()) -> Published:
    """Ask the registry of the settings for all that a plan would build, and record what it has.

    What is `forced` is to be built whatever there is, and not asked for.

    Of an image that is there, manifest and config come into the layout, and no layer. One that
    was recorded so before and is not there any more is to be built again. Of recipes still to be
    built it is asked what their packages hold that this machine lacks.

    Raises:
        WorkspaceError: The settings name no registry.
        RegistryError: It does not say what it has.
    """
    opened = planned.opened
    layout = Layout(opened.paths.layout)
    elsewhere = Elsewhere(opened.paths.elsewhere, layout)
    wanted = {
        name: step
        for name, step in planned.plan.steps.items()
        if name not in forced
        and (step.action is not Action.REUSE or elsewhere.lacking(step.digest))
    }
    if not wanted:
        return Published()
    namespace = namespace_of(opened)
    with _asking(opened, namespace) as (registry, crew):
        inquiry = _Inquiry(planned, registry, layout, elsewhere)
        answers = crew.each(lambda name: inquiry.find(wanted[name]), wanted).raise_first()
        found = {name: image for name, image in answers.items() if image}
        for name, step in wanted.items():
            if name not in found and step.action is Action.REUSE:
                elsewhere.forget(elsewhere.lacking(step.digest))
        read = crew.each(lambda name: inquiry.read(wanted[name], found[name]), found).raise_first()
        sound = [name for name in found if inquiry.is_sound(wanted[name], read[name])]
        lacking = [name for name in wanted if name not in sound and not wanted[name].image.build]
        before = crew.each(lambda name: inquiry.find_earlier(wanted[name]), lacking).raise_first()
        images = {name: image for name, image in before.items() if image}
        steps = [wanted[name] for name in lacking]
        earlier = ask_inventories(planned, steps, images, registry, crew, namespace)
    state = State(opened.paths.database)
    for name in sound:
        step, digest = wanted[name], found[name].manifest.digest
        state.write(name, step.platform.key, step.fingerprint, digest, 0.0)
    return Published(
        tuple(sound),
        earlier,
        tuple(name for name in found if name not in sound),
    )


@contextmanager
def _asking(opened: Opened, namespace: Namespace) -> Iterator[tuple[Registry, Crew]]:
    with connected(opened, namespace, "pull,push") as place:  # as the push does that follows
        crew = Crew(JOBS, place.wire.stop)
        try:
            yield place.registry, crew
        finally:
            crew.close()


@dataclass(frozen=True, slots=True)
class _Inquiry:
    """Questions about the images of a plan; asked from several threads."""

    planned: Planned
    registry: Registry
    layout: Layout
    elsewhere: Elsewhere

    def find(self, step: Step) -> PulledImage | None:
        """Find what the tag of an image's content names."""
        repository, tag = self._repository(step), content_tag(step.fingerprint.digest)
        digest = self.registry.find_manifests(repository, (tag,)).get(tag)
        return self._find(repository, step, digest=digest) if digest else None

    def find_earlier(self, step: Step) -> PublishedImage | None:
        """Find and read what was published last, by those tags that name no moment."""
        repository = self._repository(step)
        templates = templates_of(self.planned.opened.workspace.settings, step.image.name)
        for tag in (template for template in templates if "{" not in template):
            if image := self._find(repository, step, tag=tag):
                return self.read(step, image)
        return None

    def read(self, step: Step, image: PulledImage) -> PublishedImage | None:
        """Bring manifest and config into the layout; None if it is for another platform."""
        path = self.layout.blob_path(image.config.digest)
        if not path.is_file():
            self.registry.fetch_blob(image.repository, image.config, path)
        config = self.layout.read_json(image.config.digest)
        if f"{config.get('os')}/{config.get('architecture')}" != step.platform.key:
            return None
        self.layout.add_blob(Blob(image.manifest.media_type, image.manifest.data))
        self.elsewhere.note((layer.digest for layer in image.layers), str(image.repository))
        layers, _ = self.layout.read_image(image.manifest.digest)
        annotations: dict[str, Any] = json.loads(image.manifest.data).get("annotations") or {}
        return PublishedImage(layers, annotations)

    def is_sound(self, step: Step, image: PublishedImage | None) -> bool:
        """Tell whether an image is what its tag says it is made of, as far as it says so itself.

        A recipe's says which packages it has, and of what its files are. What BuildKit made says
        nothing: the tag is believed.
        """
        if image is None or step.image.build is not None:
            return image is not None
        planned, name = self.planned, step.image.name
        settings = planned.opened.workspace.settings
        graph, lock = planned.opened.graph, planned.lock
        user = find_user(contents_of(graph, lock, settings, step.platform, name), image)
        files = planned.files.get(name, ())
        keys = {layer.key for layer in image.layers}
        return user is not None and (not files or files_key(files, user) in keys)

    def _repository(self, step: Step) -> Repository:
        return namespace_of(self.planned.opened).repository(step.image.name)

    def _find(self, repository: Repository, step: Step, **pointer: str) -> PulledImage | None:
        try:
            return find_image(self.registry, Reference(repository, **pointer), step.platform)
        except NotPublishedError:
            return None
