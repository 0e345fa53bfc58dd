"""Where a lock and what the workspace asks for differ, input by input; asks no network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from orchestrator.externals import find_externals
from orchestrator.graph import Graph
from orchestrator.lockfile import Asked, ImageLock, Lock
from orchestrator.model import Image, Platform, Workspace
from orchestrator.resolve.builds import settings_digest
from orchestrator.resolve.inputs import (
    asked_of,
    broken_constraints,
    digest_of,
    read_tree_requirements,
)
from orchestrator.resolve.python.markers import marker_environment
from orchestrator.resolve.python.requirements import RequirementLine


class Input(Enum):
    """What a lock follows from."""

    PYTHON = "python-version"
    SUITE = "suite"
    PLATFORM = "platform"
    IMAGE = "image"
    PARENT = "from"
    SYSTEM = "system-package"
    REQUIREMENT = "requirement"
    CONSTRAINT = "constraint"
    WHEEL_BUILD = "wheel-build"
    EXTERNAL = "external"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Difference:
    """An input that the lock does not match; `where` is FILE or FILE:LINE, `image` may be empty."""

    input: Input
    subject: str
    detail: str
    where: str
    image: str = ""

    def __str__(self) -> str:
        """Return the difference as a person reads it, its place first."""
        return f"{self.where}: {self.detail}"


def find_differences(workspace: Workspace, graph: Graph, lock: Lock) -> tuple[Difference, ...]:
    """Return what the lock does not match, what concerns all images first.

    Files alone are read. A lock that an older orch wrote does not say what was asked for; then
    an image of which something has changed is named without saying what.

    Raises:
        WorkspaceError: A requirement file, or what an image stands on, is not valid.
    """
    lines = read_tree_requirements(workspace)
    found = [*_of_settings(workspace, graph, lock), *_of_images(workspace, graph, lock)]
    found += [*_of_builds(workspace, lock), *_of_externals(graph, lock)]
    for name in graph.locked:
        now = asked_of(workspace, graph, name, lines[name])
        found += _of_asked(graph.images[name], lines[name], lock, now)
        if lock.asked.get(name, now) == now:
            found += _of_pins(workspace, graph, lock, name, lines[name])
    for platform in workspace.settings.platforms:
        for line, name, wheel in broken_constraints(workspace, graph, lock, platform):
            detail = f"{line} rules out {wheel.name} {wheel.version}, which {name} holds"
            found.append(Difference(Input.CONSTRAINT, str(line), detail, line.where, name))
    return tuple(dict.fromkeys(found))


def _of_settings(workspace: Workspace, graph: Graph, lock: Lock) -> Iterator[Difference]:
    settings = workspace.settings
    if not graph.locked:
        return
    where = settings.file.name
    if lock.python != settings.python.version:
        detail = f"Python {settings.python.version} is asked for, {lock.python} is locked"
        yield Difference(Input.PYTHON, settings.python.version, detail, where)
    if lock.suite != settings.debian.suite:
        detail = f"suite {settings.debian.suite} is asked for, {lock.suite} is locked"
        yield Difference(Input.SUITE, settings.debian.suite, detail, where)
    locked, asked = {platform for _, platform in lock.images}, set(settings.platforms)
    for platform in sorted(asked - locked) if locked else ():
        detail = f"platform {platform} is asked for and not locked"
        yield Difference(Input.PLATFORM, platform.key, detail, where)
    for platform in sorted(locked - asked):
        detail = f"platform {platform} is locked and no longer asked for"
        yield Difference(Input.PLATFORM, platform.key, detail, where)


def _of_builds(workspace: Workspace, lock: Lock) -> Iterator[Difference]:
    """Yield the projects whose builds were pinned for other settings."""
    settings = workspace.settings
    for build in lock.builds:
        if build.settings != settings_digest(settings, build.name):
            detail = f"[wheels.{build.name}] asks for something else than when it was locked"
            yield Difference(Input.WHEEL_BUILD, build.name, detail, settings.file.name)


def _of_externals(graph: Graph, lock: Lock) -> Iterator[Difference]:
    """Yield the external images that came or went; one that could not be pinned is known."""
    if not lock.python:  # there is no lock, and nothing that needs one
        return
    known = {row.reference for row in lock.externals}
    externals = {item.reference: item for item in find_externals(graph)}
    for reference, item in externals.items():
        if reference not in known:
            detail = f"{item.images[0]} uses the external image {reference}, which is not locked"
            yield Difference(Input.EXTERNAL, reference, detail, item.where, item.images[0])
    for reference in sorted(known - externals.keys()):
        detail = f"the external image {reference} is locked, and nothing uses it any more"
        yield Difference(Input.EXTERNAL, reference, detail, "orch.lock")


def _of_images(workspace: Workspace, graph: Graph, lock: Lock) -> Iterator[Difference]:
    platforms: dict[str, set[Platform]] = {}
    for name, platform in lock.images:
        platforms.setdefault(name, set()).add(platform)
    everywhere = {platform for _, platform in lock.images}
    for name in graph.locked:
        missing = everywhere.intersection(workspace.settings.platforms)
        missing -= platforms.get(name, set())
        if missing or name not in platforms:
            where = ", ".join(map(str, sorted(missing))) if name in platforms else "the lock"
            detail = f"image {name} is not in {where}"
            yield Difference(Input.IMAGE, name, detail, str(graph.images[name].file), name)
    for name in sorted(platforms.keys() - set(graph.locked)):
        detail = f"image {name} is locked, and no recipe defines it any more"
        yield Difference(Input.IMAGE, name, detail, "orch.lock", name)


def _of_asked(
    image: Image, lines: tuple[RequirementLine, ...], lock: Lock, now: Asked
) -> Iterator[Difference]:
    """Yield what an image asks for now and did not when it was locked, and the reverse."""
    locked = [adds for (name, _), adds in lock.images.items() if name == image.name]
    before, name, file = lock.asked.get(image.name), image.name, str(image.file)
    if before is None:
        if locked and not _is_answered(locked, lock, now):
            detail = f"{name} asks for something else than when it was locked"
            yield Difference(Input.UNKNOWN, name, detail, file, name)
        return
    if before.parent != now.parent:
        where = f"{file}:{image.recipe.parent_line}" if image.recipe.parent_line else file
        detail = f"{name} stands on {now.parent}, it was locked on {before.parent}"
        yield Difference(Input.PARENT, now.parent, detail, where, name)
    for item in sorted(set(now.debs) ^ set(before.debs)):
        asks = "asks for" if item in now.debs else "no longer asks for"
        detail = f"{name} {asks} the Debian package {item}"
        yield Difference(Input.SYSTEM, item, detail, file, name)
    if before.target != now.target:
        fits = f"are to fit {now.target or 'the workspace'}, they were locked for"
        detail = f"wheels of {name} {fits} {before.target or 'the workspace'}"
        yield Difference(Input.PYTHON, now.target, detail, file, name)
    yield from _of_requirements(image, lines, before, now)
    if before == now and not _is_answered(locked, lock, now):
        detail = f"{name} was locked for something else"
        yield Difference(Input.UNKNOWN, name, detail, "orch.lock", name)


def _is_answered(locked: list[ImageLock], lock: Lock, now: Asked) -> bool:
    digest = digest_of(now, lock.python, lock.suite)
    return all(adds.inputs == digest for adds in locked)


def _of_requirements(
    image: Image, lines: tuple[RequirementLine, ...], before: Asked, now: Asked
) -> Iterator[Difference]:
    gone = [text for text in before.requirements if text not in now.requirements]
    for line in lines:
        if str(line) in before.requirements:
            continue
        old = [text for text in gone if _name_of(text) == line.name]
        gone = [text for text in gone if text not in old]
        was = f", it was locked for {' and '.join(old)}" if old else ", which it did not before"
        detail = f"{image.name} asks for {line}{was}"
        yield Difference(Input.REQUIREMENT, str(line), detail, line.where, image.name)
    for text in gone:
        names = [str(image.path / name) for name in image.recipe.requirements]
        detail = f"{image.name} no longer asks for {text}"
        where = names[0] if names else str(image.file)
        yield Difference(Input.REQUIREMENT, text, detail, where, image.name)


def _name_of(text: str) -> str:
    try:
        return canonicalize_name(Requirement(text).name)
    except InvalidRequirement:
        return text


def _of_pins(
    workspace: Workspace, graph: Graph, lock: Lock, name: str, lines: tuple[RequirementLine, ...]
) -> Iterator[Difference]:
    """Yield the lines that no pin answers, as after a merge or an edit of the lock itself."""
    for platform in workspace.settings.platforms:
        environment = marker_environment(graph.pythons[name], platform)
        adds = [lock.images.get((image.name, platform)) for image in graph.chain(name)]
        if any(image is None or image.unavailable for image in adds):
            continue
        pins = {wheel.name: wheel.version for image in adds if image for wheel in image.wheels}
        for line in lines:
            if not line.applies(environment):
                continue
            if line.name not in pins:
                detail = f"{name} asks for {line}, which is not locked"
            elif not line.allows(pins[line.name]):
                detail = f"{name} asks for {line}, but {pins[line.name]} is locked"
            else:
                continue
            yield Difference(Input.REQUIREMENT, str(line), detail, line.where, name)
