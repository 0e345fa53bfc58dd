"""`orch plan`: what is current, what is recorded, and so what is to be built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.app.opened import Opened, read_lock
from orchestrator.files import SourceFile, read_files
from orchestrator.fingerprint import Fingerprint, fingerprint_recipe
from orchestrator.lockfile import ImageLock, Lock
from orchestrator.model import Platform
from orchestrator.oci.layout import Layout
from orchestrator.plan import Plan, plan_builds
from orchestrator.resolve.inputs import check_lock
from orchestrator.select import Selection
from orchestrator.state import State


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What to build, and how; `jobs` 0 means as many as there are processors."""

    platform: Platform
    selection: Selection = field(default_factory=Selection)
    jobs: int = 0
    fail_fast: bool = False
    force: bool = False
    offline: bool = False
    relock_missing: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, with all that it was made from; `wanted` are the images that were asked for."""

    opened: Opened
    lock: Lock
    plan: Plan
    wanted: tuple[str, ...]
    files: Mapping[str, tuple[SourceFile, ...]]
    platform: Platform


def default_platform(opened: Opened) -> Platform:
    """Return this machine's platform if the workspace has it, else the first of the settings."""
    import platform as machine  # noqa: PLC0415 - only to ask this machine

    for known in opened.workspace.settings.platforms:
        if known.machine == machine.machine():
            return known
    return opened.workspace.settings.platforms[0]


def plan(opened: Opened, options: BuildOptions) -> Planned:
    """Decide what a build would do; nothing is written.

    Raises:
        WorkspaceError: A selected image is unknown, or a file of it is not to be had.
        LockError: The lock is missing or behind.
    """
    graph, settings, platform = opened.graph, opened.workspace.settings, options.platform
    lock = read_lock(opened)
    check_lock(opened.workspace, graph, lock, platform)
    wanted = options.selection.choose(graph)
    names = graph.ancestors(wanted)
    files = {name: read_files(opened.workspace, graph.images[name]) for name in names}
    current: dict[str, Fingerprint] = {}
    unavailable: dict[str, str] = {}
    for name in names:
        adds = lock.image(name, platform)
        parents = {parent: current[parent] for parent in graph.parents[name]}
        current[name] = fingerprint_recipe(
            graph.images[name], settings, platform, adds, files[name], parents
        )
        if why := _why_unavailable(opened, name, adds):
            unavailable[name] = why
    layout = Layout(opened.paths.layout)
    recorded = {
        name: record if layout.has_image(record.digest) else record.without_image()
        for name, record in State(opened.paths.database).read(platform.key).items()
        if name in current
    }
    forced = wanted if options.force else ()
    made = plan_builds(graph, platform, current, recorded, unavailable=unavailable, forced=forced)
    return Planned(opened, lock, made, wanted, files, platform)


def _why_unavailable(opened: Opened, name: str, adds: ImageLock) -> str:
    if adds.unavailable:
        return adds.unavailable
    image = opened.graph.images[name]
    if not opened.graph.parents[name] and not image.parent.startswith("debian:"):
        return f"it stands on {image.parent}, and recipes cannot stand on external images yet"
    for wheel in adds.wheels:
        if not wheel.is_wheel:
            return (
                f"{wheel.name} {wheel.version} comes as source only; build a wheel of it into a "
                f"folder that find-links names (pip wheel --no-deps {wheel.name}=="
                f"{wheel.version}), then run: orch lock"
            )
    return ""
