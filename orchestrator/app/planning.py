"""`orch plan`: what is current, what is recorded, and so what is to be built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from orchestrator.app.docker_images import DockerImages, ask_docker
from orchestrator.app.fingerprinting import Fingerprinted, fingerprint_images
from orchestrator.app.known import Known, find_unmoved, read_known
from orchestrator.app.obstacles import why_unavailable
from orchestrator.app.opened import Opened, parse_known_lock, read_lock_text
from orchestrator.externals import find_externals
from orchestrator.files import SourceFile
from orchestrator.lockfile import Lock
from orchestrator.model import Platform
from orchestrator.plan import Action, Plan, Recorded, plan_builds
from orchestrator.remembered.ahead import StampsAhead
from orchestrator.resolve.inputs import check_lock
from orchestrator.select import Selection


class Asking(Enum):
    """Whether the registry of the settings is asked for images: what it has need not be built.

    In passing it is asked too, but a build does without its answer.
    """

    NOT = "not"
    IN_PASSING = "in passing"
    SURELY = "surely"


class Deps(Enum):
    """Where the images come from that a selected one stands on, and that are not selected."""

    BUILD = "build"
    REGISTRY = "registry"


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
    retries: int = 2
    builders: tuple[str, ...] = ()
    asking: Asking = Asking.NOT
    deps: Deps = Deps.BUILD
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, with all that it was made from; `wanted` are the images that were asked for.

    `notes` are for everyone, `details` for who wants to know more.
    """

    opened: Opened
    lock: Lock
    plan: Plan
    wanted: tuple[str, ...]
    files: Mapping[str, tuple[SourceFile, ...]]
    contexts: Mapping[str, Mapping[str, tuple[SourceFile, ...]]]
    platform: Platform
    notes: tuple[str, ...] = ()
    details: tuple[str, ...] = ()


def default_platform(opened: Opened) -> Platform:
    """Return this machine's platform if the workspace has it, else the first of the settings."""
    import platform as machine  # noqa: PLC0415 - only to ask this machine

    for known in opened.workspace.settings.platforms:
        if known.machine == machine.machine():
            return known
    return opened.workspace.settings.platforms[0]


def plan(
    opened: Opened,
    options: BuildOptions,
    published: Mapping[str, Recorded] = MappingProxyType({}),
) -> Planned:
    """Decide what a build would do; nothing is written.

    `published` goes before what is recorded: what a registry was found to have, or to have lost.

    Raises:
        WorkspaceError: A selected image is unknown, or a file of it is not to be had.
        LockError: The lock is missing or behind.
    """
    known = opened.ahead if opened.ahead and opened.ahead.is_open else None
    with closing(known or StampsAhead(opened.paths.root, opened.memory)) as ahead:
        return _decide(opened, options, published, ahead)


def _decide(
    opened: Opened,
    options: BuildOptions,
    published: Mapping[str, Recorded],
    ahead: StampsAhead,
) -> Planned:
    lock_text = read_lock_text(opened)
    lock = Lock() if lock_text is None else parse_known_lock(opened, lock_text)
    check_lock(opened.workspace, opened.graph, lock, options.platform)
    if lock.builds:
        from orchestrator.resolve.builds import check_builds  # noqa: PLC0415 - rarely needed

        check_builds(opened.workspace.settings, lock, options.platform)
    chosen = options.selection.choose(opened.graph)
    known = read_known(opened, options.platform)
    forced = opened.graph.images if options.force else published
    unmoved = find_unmoved(opened, known, options.platform, lock_text, forced, ahead)
    names = opened.graph.ancestors(chosen)
    now = fingerprint_images(opened, lock, options.platform, names, unmoved)
    notes = _unlocked_externals(opened, lock)
    wanted = _narrow(opened, options, now, chosen, notes)
    if known.problem:
        notes.append(known.problem)
    names = opened.graph.ancestors(wanted)
    docker = _ask_docker(opened, options, names)
    recorded = {**_present(opened, known, names, docker), **published}
    made = _plan(opened, options, lock, now, recorded, wanted, docker)
    if options.selection.changed:
        stale = [name for name in wanted if made.steps[name].action is not Action.REUSE]
        wanted = tuple(stale)
        made = _plan(opened, options, lock, now, recorded, wanted, docker)
    details = tuple(
        f"{name} gets the whole of {opened.workspace.settings.constraints}: {why}"
        for name, why in now.whole.items()
    )
    return Planned(
        opened,
        lock,
        made,
        wanted,
        now.files,
        now.contexts,
        options.platform,
        tuple(notes),
        details,
    )


def _plan(
    opened: Opened,
    options: BuildOptions,
    lock: Lock,
    now: Fingerprinted,
    recorded: Mapping[str, Recorded],
    wanted: tuple[str, ...],
    docker: DockerImages,
) -> Plan:
    names = opened.graph.ancestors(wanted)
    platform = options.platform
    return plan_builds(
        opened.graph,
        platform,
        {name: now.prints[name] for name in names},
        recorded,
        unavailable=lambda name: why_unavailable(opened, name, lock, platform, docker.problem),
        forced=wanted if options.force else (),
    )


def _present(
    opened: Opened, known: Known, names: Iterable[str], docker: DockerImages
) -> dict[str, Recorded]:
    """Return records that say whether their images are still to be had."""
    return {
        name: record
        if docker.has(name, record.digest) or known.covers(opened, name)
        else record.without_image()
        for name in names
        if (record := known.records.get(name))
    }


def _narrow(
    opened: Opened,
    options: BuildOptions,
    now: Fingerprinted,
    chosen: tuple[str, ...],
    notes: list[str],
) -> tuple[str, ...]:
    """Narrow a selection to what differs since a revision; to nothing less where git fails."""
    if not options.selection.since:
        return chosen
    from orchestrator.app.since import fingerprints_since  # noqa: PLC0415 - only when asked
    from orchestrator.git import NoComparisonError  # noqa: PLC0415 - likewise

    try:
        before = fingerprints_since(opened, options.selection.since, options.platform)
    except NoComparisonError as error:
        tried = f"--since {options.selection.since}: {error}"
        notes.append(f"{tried}; every image is selected ({error.hint})")
        return chosen
    differing = [name for name in chosen if before.get(name) != now.prints[name].digest]
    if options.selection.with_dependents:
        return opened.graph.descendants(differing)
    return tuple(differing)


def _ask_docker(opened: Opened, options: BuildOptions, names: Iterable[str]) -> DockerImages:
    """Ask Docker what it has of images, unless they are made elsewhere.

    What a builder of buildx made is in the layout, and what a cluster made in the registry.
    """
    if options.cluster or options.builders or opened.workspace.settings.buildkit.builder:
        return DockerImages()
    return ask_docker(opened.graph.images[name] for name in names)


def _unlocked_externals(opened: Opened, lock: Lock) -> list[str]:
    """Return a note for each external image that came after the lock was written."""
    if not lock.externals:
        return []
    known = {row.reference for row in lock.externals}
    return [
        f"{item.where}: {item.reference} is not in orch.lock, and is built from its tag; "
        "run: orch lock"
        for item in find_externals(opened.graph)
        if item.reference not in known
    ]
