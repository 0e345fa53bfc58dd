"""What the assembler works with: packages as things to fetch, from this machine's sources."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.app.opened import archive_of, uv_of
from orchestrator.app.planning import Planned
from orchestrator.engines.assembler.segments import Materials
from orchestrator.model import LockedWheel
from orchestrator.resolve.python.uv import Target
from orchestrator.wheelhouse.locate import WheelPlaces, deb_artifact


def of(planned: Planned, *, offline: bool) -> Materials:
    """Return the materials of a plan."""
    opened = planned.opened
    archive = archive_of(opened)
    places = WheelPlaces(
        opened.paths.wheel_places,
        uv_of(opened, offline=offline),
        lambda: _wheels(planned),
    )
    dates = planned.lock.release_dates
    return Materials(planned.files, lambda deb: deb_artifact(deb, archive, dates), places.artifact)


def _wheels(planned: Planned) -> Iterator[tuple[Target, LockedWheel]]:
    """Yield every wheel that the plan's steps may need, with what it was locked for."""
    from orchestrator.resolve.target import target_of  # noqa: PLC0415 - only to look up wheels

    settings = planned.opened.workspace.settings
    for name in planned.plan.steps:
        if planned.opened.graph.images[name].build is not None:
            continue
        chain = planned.opened.graph.chain(name)
        adds = [planned.lock.image(image.name, planned.platform) for image in chain]
        debs = [deb for part in adds for deb in part.debs]
        target = target_of(settings.python.version, planned.platform, debs)
        for wheel in adds[-1].wheels:
            yield target, wheel
