"""The engines of a build, opened where a step needs them: the assembler and BuildKit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.app.planning import BuildOptions, Planned
from orchestrator.app.remote import RemoteLayers
from orchestrator.errors import OrchError
from orchestrator.externals import external_parent, pins_of
from orchestrator.oci.layout import Layout
from orchestrator.plan import Step
from orchestrator.ports import Engine, Made, Observer

if TYPE_CHECKING:
    from orchestrator.app.base_images import BaseImages
    from orchestrator.app.packages import Packages
    from orchestrator.engines.assembler.published import Earlier
    from orchestrator.engines.buildkit.engine import BuildKit
    from orchestrator.engines.buildkit.shelves import Shelf
    from orchestrator.engines.buildkit.spread import Spread
    from orchestrator.engines.docker.engine import DockerEngine
    from orchestrator.engines.docker.exchange import Exchange


@dataclass(slots=True)
class Engines:
    """An engine for all images: gives each step to the one that its definition asks for.

    `hopeless` are images that want a wheel that could not be built, with the reason.
    `remote` brings layers that lie in a registry.
    `docker` is there if a step is built from a Dockerfile, or stands on one's image. `gone` are
    the sha256 of the files that no place has. `warnings` gives what a person should know at the
    end. `bases` gives recipes the external images that they stand on.
    """

    remote: RemoteLayers
    recipes: Engine | None = None
    dockerfiles: Engine | None = None
    docker: DockerEngine | None = None
    exchange: Exchange | None = None
    gone: set[str] = field(default_factory=set)
    packages: Packages | None = None
    hopeless: Mapping[str, OrchError] = field(default_factory=dict)
    warnings: Callable[[], list[str]] = list
    bases: BaseImages | None = None

    def build(self, step: Step, parents: Mapping[str, str]) -> Made:
        """Build an image with its engine.

        Raises:
            OrchError: The engine cannot make it.
        """
        if step.image.name in self.hopeless:
            raise self.hopeless[step.image.name]
        engine = self.recipes if step.image.build is None else self.dockerfiles
        assert engine is not None, "what is to be built has its engine open"  # noqa: S101
        if step.image.build is not None:
            for digest in parents.values():
                self.remote.complete(digest)
            return engine.build(step, parents)
        parents = {name: self._in_layout(name, digest) for name, digest in parents.items()}
        if not parents and self.bases is not None:
            parents = self.bases.parents_of(step)
        return engine.build(step, parents)

    def _in_layout(self, name: str, digest: str) -> str:
        """Return the digest of a parent in the layout; its layers may be elsewhere."""
        if self.exchange is None or self.remote.elsewhere.covers(digest):
            return digest
        return self.exchange.to_layout(name, digest)

    def stop(self) -> None:
        """Tell both engines to give up, and what fetches and builds packages."""
        for source in (self.packages, self.bases):
            if source is not None:
                source.stop()
        for engine in (self.recipes, self.dockerfiles):
            if engine is not None:
                engine.stop()


def open_engines(
    planned: Planned,
    options: BuildOptions,
    jobs: int,
    observer: Observer,
    resources: ExitStack,
    hopeless: Mapping[str, OrchError],
    earlier: Earlier | None,
) -> Engines:
    """Open what a plan needs; `resources` closes it. `hopeless` images fail for these reasons.

    `earlier` is what a registry knows of images that are built.

    Raises:
        MissingToolError: There are Dockerfiles to build, and Docker or buildx is missing.
    """
    steps, graph = planned.plan.to_build, planned.opened.graph
    remote = RemoteLayers(planned.opened)
    layout = remote.layout
    engines = Engines(remote, hopeless=hopeless)
    of_settings = planned.opened.workspace.settings.buildkit.builder
    builders = options.builders or ((of_settings,) if of_settings else ())
    dockerfiles = any(step.image.build for step in steps)
    if (dockerfiles or _stand_on_dockerfiles(planned, remote)) and not builders:
        _open_docker(engines, layout, resources)
    packages = None
    if any(step.image.name in graph.takes_wheels for step in steps):
        from orchestrator.app.packages import open_packages  # noqa: PLC0415 - slow to import

        packages = open_packages(planned, options, observer, resources)
        engines.packages, engines.gone = packages, packages.downloads.gone
        engines.warnings = packages.warnings
    if dockerfiles:
        buildkit = _open_buildkit(planned, engines, builders, layout, packages, options.jobs)
        resources.callback(buildkit.close)
        said, engines.dockerfiles = engines.warnings, buildkit
        engines.warnings = lambda: [*said(), *dict.fromkeys(buildkit.warnings)]
    if packages and any(step.image.build is None for step in steps):
        _open_assembler(engines, planned, packages, jobs, resources, earlier)
    if any(external_parent(graph, step.image.name) for step in steps):
        from orchestrator.app.base_images import BaseImages  # noqa: PLC0415 - slow to import

        engines.bases = BaseImages(
            planned.opened, planned.lock, layout, resources, offline=options.offline
        )
    return engines


def _stand_on_dockerfiles(planned: Planned, remote: RemoteLayers) -> bool:
    """Tell whether what is to be built stands on images whose layers Docker alone may have."""
    graph, plan = planned.opened.graph, planned.plan
    above = {parent for step in plan.to_build for parent in graph.parents[step.image.name]}
    return any(
        graph.images[name].build and not remote.elsewhere.covers(plan.steps[name].digest)
        for name in above
    )


def _open_docker(engines: Engines, layout: Layout, resources: ExitStack) -> None:
    from orchestrator.engines.docker.engine import DockerEngine  # noqa: PLC0415 - slow to import
    from orchestrator.engines.docker.exchange import Exchange  # noqa: PLC0415 - likewise

    engines.docker = DockerEngine()
    resources.callback(engines.docker.close)
    engines.exchange = Exchange(engines.docker, layout)


def _open_buildkit(
    planned: Planned,
    engines: Engines,
    builders: Sequence[str],
    layout: Layout,
    packages: Packages | None,
    jobs: int,
) -> BuildKit | Spread:
    """Open BuildKit: the Docker engine's own, or those of builders, which work with the layout."""
    from orchestrator.engines.buildkit import shelves  # noqa: PLC0415 - slow to import
    from orchestrator.engines.buildkit.capabilities import find_buildx  # noqa: PLC0415 - likewise
    from orchestrator.engines.buildkit.engine import BuildKit, ContextFiles  # noqa: PLC0415
    from orchestrator.engines.buildkit.together import AT_ONCE  # noqa: PLC0415

    buildx = find_buildx()
    opened = planned.opened
    steps = [step for step in _hopeful(engines, planned) if step.image.build]
    takers = [step for step in steps if step.image.name in opened.graph.takes_wheels]
    wheels = packages.wheel_contexts(planned, takers) if packages else {}
    graph, externals = opened.graph, planned.lock.externals
    pins = {name: pins_of(graph, externals, name) for name in planned.plan.steps}
    sources = ContextFiles(planned.files, planned.contexts, wheels, pins)
    at_once = jobs or AT_ONCE

    def engine_on(shelf: Shelf) -> BuildKit:
        return BuildKit(opened.workspace, opened.paths, sources, shelf, buildx, steps, at_once)

    if engines.docker is not None and engines.exchange is not None:
        return engine_on(shelves.DockerShelf(engines.docker, engines.exchange))
    of_builders = {name: engine_on(shelves.LayoutShelf(name, layout)) for name in builders}
    if len(of_builders) == 1:
        return next(iter(of_builders.values()))
    from orchestrator.engines.buildkit.spread import Spread  # noqa: PLC0415 - rarely needed

    return Spread(of_builders)


def _open_assembler(
    engines: Engines,
    planned: Planned,
    packages: Packages,
    jobs: int,
    resources: ExitStack,
    earlier: Earlier | None,
) -> None:
    """Open the assembler, with all downloads begun."""
    from orchestrator.engines.assembler.engine import Assembler as Engine  # noqa: PLC0415 - slow
    from orchestrator.engines.assembler.jobs import Workers  # noqa: PLC0415 - likewise
    from orchestrator.engines.assembler.segments import SegmentWorks  # noqa: PLC0415 - likewise
    from orchestrator.engines.assembler.store import Store  # noqa: PLC0415 - likewise

    opened = planned.opened
    steps = [step for step in _hopeful(engines, planned) if step.image.build is None]
    workers = Workers(jobs)
    resources.callback(workers.close)
    store = Store(opened.paths.cache)
    engine = Engine(
        opened.graph,
        planned.lock,
        opened.workspace.settings,
        SegmentWorks(store, packages.downloads, workers, packages.materials),
        Layout(opened.paths.layout),
        engines.remote.path,
        earlier,
    )
    if jobs > 1 and engine.missing_bytes(steps) > Workers.WORTH_STARTING_BYTES:
        workers.start()
    if packages.downloads.is_offline:
        packages.absent += engine.absent(steps)
    engine.start_fetching(steps)
    engines.recipes = engine


def _hopeful(engines: Engines, planned: Planned) -> list[Step]:
    return [step for step in planned.plan.to_build if step.image.name not in engines.hopeless]
