"""The packages that a build takes: fetched or built, and the context of wheels for Dockerfiles."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.app import materials
from orchestrator.app.planning import BuildOptions, Planned
from orchestrator.app.sharing import absent_warning, levels_of
from orchestrator.engines.assembler.segments import Materials
from orchestrator.engines.buildkit.wheels import wheel_files
from orchestrator.fetch import Downloads
from orchestrator.files import SourceFile
from orchestrator.levels import Levels
from orchestrator.model import LockedWheel
from orchestrator.plan import Step
from orchestrator.ports import Observer

if TYPE_CHECKING:
    from orchestrator.wheelhouse.workshop import Workshop


@dataclass(slots=True)
class Packages:
    """Where a build's packages come from. `absent` are files that an offline build lacks."""

    downloads: Downloads
    levels: Levels
    materials: Materials
    workshop: Workshop | None = None
    absent: list[str] = field(default_factory=list)

    def warnings(self) -> list[str]:
        """Return what a person should know at the end."""
        built = self.workshop.warnings if self.workshop else []
        return [
            *self.downloads.warnings,
            *self.levels.warnings,
            *built,
            *absent_warning(self.absent),
        ]

    def stop(self) -> None:
        """Give up what is being fetched or built; what waits for it is cancelled."""
        self.downloads.stop()
        if self.workshop is not None:
            self.workshop.stop()

    def wheel_contexts(
        self, planned: Planned, steps: Sequence[Step]
    ) -> dict[str, Callable[[], Sequence[SourceFile]]]:
        """Begin to fetch the wheels of Dockerfiles that use them; return how each gets them."""
        contexts: dict[str, Callable[[], Sequence[SourceFile]]] = {}
        for step in steps:
            wheels = planned.lock.image(step.image.name, planned.platform).wheels
            self._begin(wheels)
            contexts[step.image.name] = functools.partial(self._context, wheels)
        return contexts

    def _begin(self, wheels: Sequence[LockedWheel]) -> None:
        for wheel in wheels:
            artifact = self.materials.wheel(wheel)
            if self.downloads.is_offline and not self.downloads.is_at_hand(artifact):
                self.absent.append(wheel.file)
            self.downloads.start(artifact)

    def _context(self, wheels: Sequence[LockedWheel]) -> tuple[SourceFile, ...]:
        begun = [self.downloads.start(self.materials.wheel(wheel)) for wheel in wheels]
        places = [future.result() for future in begun]
        return wheel_files(dict(zip(wheels, places, strict=True)))


def open_packages(
    planned: Planned, options: BuildOptions, observer: Observer, resources: ExitStack
) -> Packages:
    """Open the places that packages come from; `resources` closes them."""
    opened = planned.opened
    workshop = None
    if planned.lock.builds:
        from orchestrator.app.wheel_building import open_workshop  # noqa: PLC0415 - rarely needed

        workshop = open_workshop(
            opened, planned.lock, planned.platform, resources, offline=options.offline
        )
    levels = levels_of(opened, offline=options.offline)
    downloads = Downloads(
        opened.paths.downloads,
        offline=options.offline,
        on_bytes=observer.fetched,
        levels=levels,
    )
    resources.callback(downloads.close)
    sources = materials.of(planned, offline=options.offline, workshop=workshop)
    return Packages(downloads, levels, sources, workshop)
