"""`orch lock`: what is wired together to resolve and to upgrade."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.app.opened import (
    Opened,
    archive_of,
    open_workspace,
    read_lock,
    uv_of,
    writing_lock,
)
from orchestrator.errors import ResolutionError
from orchestrator.externals import LockedExternal, find_externals
from orchestrator.lockfile import Lock
from orchestrator.usage import working_in

if TYPE_CHECKING:
    from orchestrator.model import LockedWheel
    from orchestrator.resolve.lock import Sources
    from orchestrator.resolve.pinning import BaseMove, Upstream
    from orchestrator.resolve.python.offered import DistributionFile, Target
    from orchestrator.resolve.upgrading import Move


@dataclass(frozen=True, slots=True)
class LockWritten:
    """What `orch lock` did: versions and pins that moved, notes for a person, images left out.

    `unknown` is the error where some of these want what no index has.
    """

    moves: tuple[Move, ...]
    base_moves: tuple[BaseMove, ...]
    notes: tuple[str, ...]
    unavailable: tuple[str, ...]
    summary: str
    unknown: ResolutionError | None = None


def lock(
    directory: Path,
    *,
    upgrade: bool = False,
    upgrade_bases: bool = False,
    packages: Sequence[str] = (),
    dry_run: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> LockWritten:
    """Resolve the workspace and write its lock.

    `packages`, each `NAME` or `NAME==VERSION`, are to move; with `upgrade` and none, all are, and
    external images too; these alone with `upgrade_bases`.

    Raises:
        WorkspaceError: No image holds or asks for one of `packages`.
        OrchError: It cannot be resolved; the lock is as it was.
    """
    from orchestrator.atomic import write_text  # noqa: PLC0415 - used by this verb alone
    from orchestrator.lockwriting import format_lock  # noqa: PLC0415 - likewise
    from orchestrator.resolve.inputs import read_tree_requirements  # noqa: PLC0415
    from orchestrator.resolve.lock import Upgrade, resolve_lock  # noqa: PLC0415
    from orchestrator.resolve.pinning import find_base_moves  # noqa: PLC0415
    from orchestrator.resolve.unknown import find_unknown  # noqa: PLC0415
    from orchestrator.resolve.upgrading import (  # noqa: PLC0415
        explain_stays,
        find_moves,
        read_upgrade,
    )

    opened = open_workspace(directory)
    sources = _sources(opened, progress)
    alone = nullcontext() if dry_run else writing_lock(opened)
    with working_in(opened.paths.cache), alone:
        previous = read_lock(opened) if opened.paths.lock.exists() else Lock()
        moving = read_upgrade(opened.workspace, opened.graph, previous, packages)
        if upgrade and not packages:
            moving = Upgrade(everything=True)
        resolution = resolve_lock(opened.workspace, opened.graph, sources, previous, moving)
        move_bases = upgrade_bases or moving.everything
        externals, said = _pin(opened, previous.externals, move=move_bases, progress=progress)
        new = replace(resolution.lock, externals=externals)
        if not dry_run:
            write_text(opened.paths.lock, format_lock(new), sync=True)
    stays = explain_stays(opened.workspace, previous, new, moving)
    moves = find_moves(previous, new) if previous.images else ()
    base_moves = find_base_moves(previous.externals, externals) if previous.externals else ()
    unpinned = {row.reference for row in externals if not row.digest}
    found = find_externals(opened.graph)
    without = [name for item in found if item.reference in unpinned for name in item.recipes]
    written = _written(new, moves, base_moves, (*resolution.notes, *stays, *said), without)
    return replace(written, unknown=find_unknown(new, read_tree_requirements(opened.workspace)))


def _sources(opened: Opened, progress: Callable[[str], None]) -> Sources:
    """Return where packages are resolved from on this machine."""
    from orchestrator.fetch import Downloads  # noqa: PLC0415 - slow to import
    from orchestrator.resolve.lock import Sources  # noqa: PLC0415 - likewise
    from orchestrator.wheelhouse.locate import WheelPlaces, measure_files  # noqa: PLC0415
    from orchestrator.wheelhouse.sdist import read_build_requires  # noqa: PLC0415

    uv = uv_of(opened)
    places = WheelPlaces(opened.paths.wheel_places, uv)

    def measure(files: Iterable[DistributionFile]) -> Mapping[str, int]:
        places.remember(files)
        return measure_files(files)

    def read_requires(sdist: LockedWheel, target: Target) -> tuple[str, ...]:
        wanted = WheelPlaces(opened.paths.wheel_places, uv, lambda: [(target, sdist)])
        with closing(Downloads(opened.paths.downloads, jobs=1)) as downloads:
            file = downloads.start(wanted.artifact(sdist)).result()
        return read_build_requires(file, sdist.file)

    return Sources(archive_of(opened), uv, measure, progress, read_requires)


def _pin(
    opened: Opened,
    previous: tuple[LockedExternal, ...],
    *,
    move: bool,
    progress: Callable[[str], None],
) -> tuple[tuple[LockedExternal, ...], list[str]]:
    """Pin external images; registries are asked where there is something to ask."""
    from orchestrator.resolve.pinning import pin_externals  # noqa: PLC0415 - slow to import

    def ask(references: Sequence[str]) -> Mapping[str, Upstream]:
        from orchestrator.app.bases import ask_upstream  # noqa: PLC0415 - slow to import

        progress("external images")
        return ask_upstream(opened, references)

    return pin_externals(find_externals(opened.graph), previous, move=move, ask=ask)


def _written(
    new: Lock,
    moves: tuple[Move, ...],
    base_moves: tuple[BaseMove, ...],
    notes: tuple[str, ...],
    without: Sequence[str],
) -> LockWritten:
    unresolved = (name for (name, _), adds in new.images.items() if adds.unavailable)
    unavailable = (*unresolved, *without)
    images = len({name for name, _ in new.images})
    debs = {deb for adds in new.images.values() for deb in adds.debs}
    wheels = {wheel for adds in new.images.values() for wheel in adds.wheels}
    summary = f"locked {images} images: {len(debs)} Debian packages and {len(wheels)} Python files"
    if new.externals:
        pinned = sum(bool(row.digest) for row in new.externals)
        summary += f"; pinned {pinned} of {len(new.externals)} external images"
    return LockWritten(moves, base_moves, notes, unavailable, summary)
