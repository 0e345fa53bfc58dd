"""Pinning anew what a mirror no longer has, and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from orchestrator.graph import Graph
from orchestrator.lockfile import Lock
from orchestrator.model import LockedDeb, Platform, Workspace
from orchestrator.resolve.debian import DebianArchive, resolve_debs
from orchestrator.resolve.inputs import wanted_debs


def relock_debs(
    lock: Lock,
    graph: Graph,
    workspace: Workspace,
    archive: DebianArchive,
    gone: Collection[LockedDeb],
) -> tuple[Lock, list[str]]:
    """Pin Debian packages that no place serves any more anew.

    Images that hold none of them stay as they are, unless what they stand on now brings other
    packages. Returns the changed lock, and a line for each package that moved.

    Raises:
        ResolutionError: A package is no longer in the suite, or what it needs now is not.
    """
    images = dict(lock.images)
    moved: set[str] = set()
    for platform in sorted({locked_for for _, locked_for in images}):
        held: dict[str, dict[str, LockedDeb]] = {}
        for name in graph.images:
            adds = images.get((name, platform))
            if adds is None:
                continue
            below = {
                k: deb for image in graph.chain(name)[:-1] for k, deb in held[image.name].items()
            }
            new = adds.debs
            if any(deb in gone or deb.name in below for deb in new):
                pins = {deb.name: deb.version for deb in new if deb not in gone}
                wanted = [
                    item
                    for item in wanted_debs(workspace, graph, name)
                    if item.partition("=")[0] not in below
                ]
                new = resolve_debs(archive.universe(platform), wanted, below, pins)
            held[name] = {deb.name: deb for deb in new}
            moved |= _moves(adds.debs, new, platform)
            images[name, platform] = replace(adds, debs=new)
    return replace(lock, release_dates=archive.release_dates(), images=images), sorted(moved)


def _moves(old: Iterable[LockedDeb], new: Iterable[LockedDeb], platform: Platform) -> set[str]:
    before = {deb.name: deb.version for deb in old}
    after = {deb.name: deb.version for deb in new}
    return {
        f"{name} {before.get(name, '(none)')} -> {after.get(name, '(none)')} on {platform}"
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    }
