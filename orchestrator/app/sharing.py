"""`orch wheels push` and `pull`, and the shared levels that every fetch of a wheel asks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from orchestrator.app import materials
from orchestrator.app.opened import Opened, at_work
from orchestrator.app.planning import BuildOptions, Planned, plan
from orchestrator.errors import WorkspaceError
from orchestrator.fetch import Downloads
from orchestrator.levels import Level, Levels
from orchestrator.model import LockedWheel, Platform, SharedPlace
from orchestrator.select import Selection
from orchestrator.supply import Artifact
from orchestrator.wheelhouse.shared import open_levels
from orchestrator.wheelhouse.shared_transfer import Moved, plan_pull, pull_wheels, push_wheels

_VARIABLE = "ORCH_WHEELHOUSE"


@dataclass(frozen=True, slots=True)
class Sharing:
    """What to share or to fetch: images on platforms; `built_only` leaves indexes' wheels out."""

    selection: Selection
    platforms: tuple[Platform, ...]
    built_only: bool = False
    dry_run: bool = False
    force: bool = False
    offline: bool = False
    to: str = ""


@dataclass(frozen=True, slots=True)
class Shared:
    """What came of the wheels, the warnings, and what has no wheel: names and versions."""

    moved: tuple[Moved, ...]
    warnings: tuple[str, ...] = ()
    unbuilt: tuple[str, ...] = ()


def levels_of(opened: Opened, *, offline: bool = False) -> Levels:
    """Return the shared levels of a workspace; offline only those that need no network.

    Raises:
        WorkspaceError: `ORCH_WHEELHOUSE` names what is no place.
    """
    levels = _open(opened)
    return Levels([level for level in levels if level.is_local or not offline])


def absent_warning(names: Sequence[str]) -> list[str]:
    """Return the warning that lists all files an offline run lacks, skipped images' too."""
    if not names:
        return []
    distinct = dict.fromkeys(names)
    lines = "".join(f"\n  {name}" for name in distinct)
    return [f"--offline: {len(distinct)} of the files needed are not on this machine:{lines}"]


@at_work
def push(opened: Opened, sharing: Sharing) -> Shared:
    """Bring what the lock names, this machine has and the shared levels lack, to these.

    Raises:
        WorkspaceError: There is no level to push to.
        LevelError: A level is out of reach or refuses.
    """
    levels = _writable(opened, sharing.to)
    wheels, unbuilt = _wanted(_plan(opened, sharing), sharing)
    moved = [
        item
        for level in levels
        for item in push_wheels(
            level,
            wheels,
            Downloads(opened.paths.downloads).path,
            force=sharing.force,
            dry_run=sharing.dry_run,
        )
    ]
    return Shared(tuple(moved), unbuilt=unbuilt)


@at_work
def pull(opened: Opened, sharing: Sharing) -> Shared:
    """Bring what the lock names to this machine: from the levels, then from the indexes.

    Raises:
        OrchError: The workspace or its lock is wrong; what fails of a wheel is its status.
    """
    planned = _plan(opened, sharing)
    wheels, unbuilt = _wanted(planned, sharing)
    levels = levels_of(opened, offline=sharing.offline)
    artifacts: dict[LockedWheel, Artifact] = {}
    for each in planned:
        sources = materials.of(each, offline=sharing.offline)
        artifacts |= {file: sources.wheel(file) for file in _files(each)}
    with closing(
        Downloads(opened.paths.downloads, offline=sharing.offline, levels=levels)
    ) as downloads:
        if sharing.dry_run:
            moved = plan_pull(downloads, wheels, artifacts.__getitem__, levels)
        else:
            moved = pull_wheels(downloads, wheels, artifacts.__getitem__)
    return Shared(tuple(moved), tuple(levels.warnings), unbuilt)


def _open(opened: Opened) -> tuple[Level, ...]:
    settings = opened.workspace.settings.wheelhouse
    places = settings.shared
    given = os.environ.get(_VARIABLE)
    if given is not None:
        try:
            places = tuple(SharedPlace.parse(text) for text in given.split())
        except WorkspaceError as error:
            raise error.during(_VARIABLE) from None
    return open_levels(places, settings, opened.paths.root)


def _writable(opened: Opened, to: str) -> list[Level]:
    settings = opened.workspace.settings.wheelhouse
    levels = _open(opened)
    if not levels:
        raise WorkspaceError(
            "no shared place is configured",
            hint=f'name one: shared = ["s3://BUCKET/PREFIX"] under [wheelhouse], or {_VARIABLE}',
        )
    chosen = [level for level in levels if to in {"", level.name}]
    if not chosen:
        known = ", ".join(level.name for level in levels)
        raise WorkspaceError(f"{to} is no shared place of this workspace", hint=f"known: {known}")
    writable = [level for level in chosen if level.is_local or not settings.anonymous]
    if not writable:
        raise WorkspaceError(
            f"{chosen[0].name} is read without credentials, so nothing can be pushed to it",
            hint="take anonymous = true out of [wheelhouse] where you push from",
        )
    return writable


def _plan(opened: Opened, sharing: Sharing) -> list[Planned]:
    return [
        plan(opened, BuildOptions(platform, sharing.selection)) for platform in sharing.platforms
    ]


def _files(planned: Planned) -> set[LockedWheel]:
    """Return the Python files of a plan's images."""
    return {
        file
        for name in planned.plan.steps
        if name in planned.opened.graph.locked
        for file in planned.lock.image(name, planned.platform).wheels
    }


def _wanted(
    planned: Sequence[Planned], sharing: Sharing
) -> tuple[list[LockedWheel], tuple[str, ...]]:
    """Return the wheels of images and of what these stand on, and what has no wheel yet."""
    files = {file for each in planned for file in _files(each)}
    ordered = sorted(files, key=lambda file: (file.name, file.version, file.file))
    built = {build.wheel for each in planned for build in each.lock.builds}
    wheels = [
        file for file in ordered if file.is_wheel and (file in built or not sharing.built_only)
    ]
    return wheels, tuple(f"{file.name} {file.version}" for file in ordered if not file.is_wheel)
