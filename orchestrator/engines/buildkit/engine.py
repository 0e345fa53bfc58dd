"""The BuildKit engine: makes the images that Dockerfiles define."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from orchestrator.context import is_folder
from orchestrator.dockerfile import parse_dockerfile
from orchestrator.dockerfile.stages import Dockerfile
from orchestrator.engines.buildkit.command import BuildCommand, is_plain
from orchestrator.engines.buildkit.runs import Runs
from orchestrator.engines.buildkit.shelves import Shelf, read_digest
from orchestrator.engines.buildkit.staging import Source, Staged, staged
from orchestrator.engines.buildkit.standing import (
    Used,
    check_stands,
    find_below,
    mark_below,
    stands_on,
)
from orchestrator.engines.buildkit.together import AT_ONCE, Light, Together, is_light
from orchestrator.errors import MissingToolError, OrchError
from orchestrator.externals import pinned
from orchestrator.files import SourceFile
from orchestrator.model import DockerfileBuild, Image, ImageSettings, Workspace
from orchestrator.paths import Paths
from orchestrator.plan import Step
from orchestrator.ports import Made
from orchestrator.scratch import scratch_folder
from orchestrator.siblings import WHEELS_CONTEXT, SiblingNames, familiar_name


@dataclass(frozen=True, slots=True)
class ContextFiles:
    """The files of each image's context, and those of its named contexts.

    `wheels` gives, for images that use that context, what is in it, once it is there. `pins` are
    the digests of the external images that an image names.
    """

    files: Mapping[str, tuple[SourceFile, ...]]
    named: Mapping[str, Mapping[str, tuple[SourceFile, ...]]]
    wheels: Mapping[str, Callable[[], Sequence[SourceFile]]] = field(default_factory=dict)
    pins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class BuildKit:
    """An engine for Dockerfiles. Threads may share one.

    Each sibling that a Dockerfile names is given to the build as the very image that was made of
    it, and what was built is checked to stand on it. Those of `steps` that are light are built
    before they are asked for, at most `at_once` at a time.
    """

    def __init__(
        self,
        workspace: Workspace,
        paths: Paths,
        sources: ContextFiles,
        shelf: Shelf,
        buildx: Sequence[str],
        steps: Iterable[Step] = (),
        at_once: int = AT_ONCE,
    ) -> None:
        self._workspace = workspace
        self._paths = paths
        self._sources = sources
        self._shelf = shelf
        self._siblings = SiblingNames(workspace)
        self._runs = Runs(paths.logs, buildx, shelf)
        self._together = Together(
            self._lights(steps), at_once, self._runs.run_together, shelf.address, self._runs.log
        )
        self.warnings: list[str] = []

    def stop(self) -> None:
        """End all builds; their steps are cancelled."""
        self._runs.stop()

    def close(self) -> None:
        """End what nobody waits for any more."""
        if not self._together.is_idle:
            self._runs.stop()
        self._together.close()

    def build(self, step: Step, parents: Mapping[str, str]) -> Made:
        """Build an image, and put it on the shelf.

        Raises:
            BuildError: The Dockerfile does not build.
            MissingToolError: The builder is out of reach.
            OrchError: A file of the context changed, or a parent is not to be had.
        """
        build = _build_of(step)
        used = self._used(step, build, parents)
        digest = self._together.build(step.image.name, {item.name: item.digest for item in used})
        below = find_below(self._shelf, build, used)
        if digest:
            made = self._shelf.put(step.image.name, digest, self._paths.state)
            if stands_on(made, below):
                return mark_below(made, below)
        made = self._build_alone(step, build, used)
        check_stands(made, below, used, step.image)
        return mark_below(made, below)

    def _build_alone(self, step: Step, build: DockerfileBuild, used: list[Used]) -> Made:
        contexts = self._contexts(step, self._parsed(step), build.settings, used)
        with self._staged(step) as place, scratch_folder() as scratch:
            metadata = scratch / "metadata.json"
            command = self._command(step, place, contexts, self._shelf.output(scratch))
            self._runs.run(step.image, command, metadata)
            return self._shelf.put(step.image.name, read_digest(metadata), scratch)

    def _command(
        self, step: Step, place: Staged, contexts: Mapping[str, str], output: str = ""
    ) -> BuildCommand:
        return BuildCommand(
            _build_of(step).settings,
            step.platform,
            place,
            self._shelf.builder,
            contexts,
            self._workspace.root,
            output,
        )

    def _lights(self, steps: Iterable[Step]) -> dict[str, Light]:
        """Return those of the steps that can be built together, parents first as they are."""
        if not (self._shelf.named_contexts and self._shelf.keeps_builds):
            return {}
        return {
            step.image.name: Light(frozenset(names.values()), partial(self._prepare, step, names))
            for step in steps
            if (names := self._only_siblings(step)) is not None
        }

    def _only_siblings(self, step: Step) -> dict[str, str] | None:
        """Return the siblings that a light image is made from, by reference; None of others."""
        build = _build_of(step)
        try:
            dockerfile = self._parsed(step)
        except (OSError, OrchError):  # building it says what is wrong
            return None
        stages = {stage.name for stage in dockerfile.stages}
        names: dict[str, str] = {}
        for item in build.uses.references:
            found = self._siblings.find(item.name, by=step.image.name)
            if found is None or familiar_name(item.name) in stages:
                return None
            names[item.name] = found
        fetches = not all(map(is_folder, build.settings.options.contexts.values()))
        waits = step.image.name in self._sources.wheels
        light = is_light(dockerfile) and is_plain(build.settings)
        return names if light and not fetches and not waits else None

    @contextlib.contextmanager
    def _prepare(
        self, step: Step, names: Mapping[str, str], places: Mapping[str, str]
    ) -> Iterator[BuildCommand]:
        contexts = {reference: places[name] for reference, name in names.items()}
        with self._staged(step) as place:
            yield self._command(step, place, contexts)

    def _staged(self, step: Step) -> contextlib.AbstractContextManager[Staged]:
        build = _build_of(step)
        root, image = self._workspace.root, step.image
        places = build.settings.options.contexts
        named = {
            name: Source(Path(os.path.normpath(root / places[name])), files)
            for name, files in self._sources.named[image.name].items()
        }
        if wheels := self._sources.wheels.get(image.name):
            self._check_named_contexts(image)
            named[WHEELS_CONTEXT] = Source(None, wheels())
        context = Source(root / image.path, self._sources.files[image.name])
        folder = self._paths.state / "contexts" / image.name
        return staged(folder, context, named, root / image.file, build.sha256)

    def _check_named_contexts(self, image: Image) -> None:
        """Refuse what an engine without named contexts cannot be given.

        Raises:
            MissingToolError: It has none.
        """
        if not self._shelf.named_contexts:
            raise MissingToolError(
                f"this Docker engine knows no named contexts, and {image.name} takes its wheels "
                f"from one, {WHEELS_CONTEXT}",
                hint="use Docker 23 or newer, or name another builder with --builder",
            )

    def _used(self, step: Step, build: DockerfileBuild, parents: Mapping[str, str]) -> list[Used]:
        """Return the siblings a Dockerfile names, what its target stands on first."""
        found = []
        for item in build.uses.references:
            name = self._siblings.find(item.name, by=step.image.name)
            if name is not None and name in parents:
                found.append(Used(item.name, item.line, name, parents[name]))
        return found

    def _contexts(
        self, step: Step, dockerfile: Dockerfile, table: ImageSettings, used: list[Used]
    ) -> dict[str, str]:
        """Return what each reference stands for; where that cannot be said, name it by a tag.

        A named context would take the place of a stage of that name too, so it cannot be given
        where there is one.
        """
        contexts = {name: at for name, at in table.options.contexts.items() if not is_folder(at)}
        pins = self._sources.pins.get(step.image.name, {})
        stages = {stage.name for stage in dockerfile.stages if stage.name}
        for reference, digest in pins.items():
            if self._shelf.named_contexts and familiar_name(reference) not in stages:
                contexts[reference] = f"docker-image://{pinned(reference, digest)}"
            else:
                self._warn_unheld(step, reference, stages)
        for item in used:
            if self._shelf.named_contexts and familiar_name(item.reference) not in stages:
                contexts[item.reference] = self._shelf.address(item.name, item.digest)
            else:
                self._shelf.name(item.name, item.digest, item.reference)
        return contexts

    def _warn_unheld(self, step: Step, reference: str, stages: set[str]) -> None:
        is_stage = familiar_name(reference) in stages
        why = "a stage has that name" if is_stage else "this Docker engine knows no named contexts"
        self.warnings.append(
            f"{step.image.file}: {reference} is taken by its tag, not as orch.lock pins it: {why}"
        )

    def _parsed(self, step: Step) -> Dockerfile:
        file = self._workspace.root / step.image.file
        return parse_dockerfile(file.read_text("utf-8"), str(file))


def _build_of(step: Step) -> DockerfileBuild:
    build = step.image.build
    assert build is not None, "recipes have another engine"  # noqa: S101 - for the type checker
    return build
