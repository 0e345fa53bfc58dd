"""What a registry has already: images that need not be built here, layers that need not be made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

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
from orchestrator.errors import AssemblyError
from orchestrator.oci.image import Blob
from orchestrator.oci.layout import Layout
from orchestrator.plan import Action, Recorded, Step
from orchestrator.publish.crew import Crew
from orchestrator.publish.pull import PulledImage, find_image
from orchestrator.publish.reference import Reference, Repository
from orchestrator.publish.registry import NotPublishedError, Registry
from orchestrator.scratch import scratch_folder
from orchestrator.state import State
from orchestrator.tagging import content_tag


@dataclass(frozen=True, slots=True)
class Published:
    """What was found of a plan's images.

    `records` are those of images that are there, and of images that a registry had when they were
    recorded and has no more. `earlier` is what is known of those still to be built, and
    `doubtful` are images whose content tag names something else than it says.
    """

    records: Mapping[str, Recorded] = field(default_factory=dict)
    earlier: Earlier = field(default_factory=Earlier)
    doubtful: tuple[str, ...] = ()

    @property
    def reused(self) -> tuple[str, ...]:
        """Return the images that are there, and need not be built."""
        return tuple(name for name, record in self.records.items() if record.present)


def find_published(
    planned: Planned,
    forced: Collection[str] = (),
    *,
    in_passing: bool = False,
    anew: bool = False,
) -> Published:
    """Ask the registry of the settings for all that a plan would build, and record what it has.

    What is `forced` is to be built whatever there is, and not asked for. A registry that is out
    of reach is soon given up when it is asked `in_passing`. Asked `anew`, it is asked for what is
    up to date here too: its images then go before those of the records.

    Of an image that is there, manifest and config come into the layout, and no layer. One that
    was recorded so before and is not there any more is to be built again. Of recipes still to be
    built it is asked what their packages hold that this machine lacks.

    Raises:
        WorkspaceError: The settings name no registry.
        RegistryError: It does not say what it has.
    """
    opened = planned.opened
    wanted = _wanted(planned, forced, anew=anew)
    if not wanted:
        return Published()
    with _asking(opened, in_passing=in_passing) as (registry, crew):
        inquiry = _Inquiry(planned, registry, *_places(opened.paths.layout, opened.paths.elsewhere))
        found = inquiry.ask(crew, wanted)
        lacking = [
            name for name in wanted if name not in found.reused and not wanted[name].image.build
        ]
        before = crew.each(lambda name: inquiry.find_earlier(wanted[name]), lacking).raise_first()
        images = {name: image for name, image in before.items() if image}
        steps, namespace = [wanted[name] for name in lacking], namespace_of(opened)
        earlier = ask_inventories(planned, steps, images, registry, crew, namespace)
    state = State(opened.paths.database)
    for name in found.reused:
        record = found.records[name]
        state.write(name, planned.platform.key, record.fingerprint, record.digest, 0.0)
    return replace(found, earlier=earlier)


def foresee_published(
    planned: Planned,
    forced: Collection[str] = (),
    *,
    in_passing: bool = False,
    anew: bool = False,
) -> Published:
    """Ask as `find_published` does what is there, and write nothing.

    Raises:
        WorkspaceError: The settings name no registry.
        RegistryError: It does not say what it has.
    """
    wanted = _wanted(planned, forced, anew=anew)
    if not wanted:
        return Published()
    with (
        scratch_folder() as folder,
        _asking(planned.opened, in_passing=in_passing) as (registry, crew),
    ):
        places = _places(folder / "layout", folder / "elsewhere")
        return _Inquiry(planned, registry, *places).ask(crew, wanted)


def _wanted(planned: Planned, forced: Collection[str], *, anew: bool) -> dict[str, Step]:
    """Return the steps that would build, and those whose images only a registry has; or all."""
    _, elsewhere = _places(planned.opened.paths.layout, planned.opened.paths.elsewhere)
    return {
        name: step
        for name, step in planned.plan.steps.items()
        if name not in forced
        and (anew or step.action is not Action.REUSE or elsewhere.lacking(step.digest))
    }


def _places(layout: Path, elsewhere: Path) -> tuple[Layout, Elsewhere]:
    return Layout(layout), Elsewhere(elsewhere, Layout(layout))


@contextmanager
def _asking(opened: Opened, *, in_passing: bool) -> Iterator[tuple[Registry, Crew]]:
    """Speak to the registry of the settings, with the rights of the push that may follow."""
    actions = "pull" if in_passing else "pull,push"
    with connected(opened, namespace_of(opened), actions, in_passing=in_passing) as place:
        crew = Crew(JOBS, place.wire.stop)
        try:
            yield place.registry, crew
        finally:
            crew.close()


@dataclass(frozen=True, slots=True)
class _Inquiry:
    """Questions about the images of a plan, asked from several threads; what is read is kept."""

    planned: Planned
    registry: Registry
    layout: Layout
    elsewhere: Elsewhere

    def ask(self, crew: Crew, wanted: Mapping[str, Step]) -> Published:
        """Find what the content tags of steps name, and read what is there.

        Raises:
            RegistryError: The registry does not say what it has.
        """
        answers = crew.each(lambda name: self.find(wanted[name]), wanted).raise_first()
        found = {name: image for name, image in answers.items() if image}
        lost = [n for n, s in wanted.items() if n not in found and s.action is Action.REUSE]
        for name in lost:
            self.elsewhere.forget(self.elsewhere.lacking(wanted[name].digest))
        read = crew.each(lambda name: self.read(wanted[name], found[name]), found).raise_first()
        sound = [name for name in found if self.is_sound(wanted[name], read[name])]
        there = {n: Recorded(wanted[n].fingerprint, found[n].manifest.digest) for n in sound}
        gone = {n: Recorded(wanted[n].fingerprint, wanted[n].digest, present=False) for n in lost}
        doubtful = tuple(name for name in found if name not in sound)
        return Published({**there, **gone}, doubtful=doubtful)

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
        """Bring manifest and config into the layout; None if it is none for the platform."""
        path = self.layout.blob_path(image.config.digest)
        if not path.is_file():
            self.registry.fetch_blob(image.repository, image.config, path)
        self.layout.add_blob(Blob(image.manifest.media_type, image.manifest.data))
        try:
            config = self.layout.read_json(image.config.digest)
            layers, _ = self.layout.read_image(image.manifest.digest)
        except AssemblyError:  # whoever put it there, it is not what the tag says
            return None
        if f"{config.get('os')}/{config.get('architecture')}" != step.platform.key:
            return None
        self.elsewhere.note((layer.digest for layer in image.layers), str(image.repository))
        notes = self.layout.read_json(image.manifest.digest).get("annotations")
        return PublishedImage(layers, notes if isinstance(notes, dict) else {})

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
