"""The slice of the workspace's constraints that matters to a Dockerfile's image. Decides alone."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import Specifier
from packaging.utils import canonicalize_name

from orchestrator.files import SourceFile
from orchestrator.graph import Graph
from orchestrator.lockfile import Lock
from orchestrator.model import Image, Platform
from orchestrator.resolve.python.requirements import logical_lines

_INSTALLERS = frozenset({"pip", "setuptools", "uv", "wheel"})
"""What installs the rest: a Dockerfile may bring it up to date without asking for it."""


@dataclass(frozen=True, slots=True)
class Mattering:
    """The projects whose lines matter to an image; `whole` says why all lines do, or is empty."""

    projects: frozenset[str] = frozenset()
    whole: str = ""


@dataclass(frozen=True, slots=True)
class Sliced:
    """Files of a context, the constraints in it cut; or why these were left whole."""

    files: tuple[SourceFile, ...]
    whole: str = ""


def slice_constraints(
    files: Sequence[SourceFile],
    constraints: Path,
    find_what_matters: Callable[[frozenset[str]], Mattering],
) -> Sliced:
    """Cut the constraints file where it is among the files of a context.

    It is the workspace's own, `constraints`, or one of its name with the same content. What
    matters is asked for with the projects that it pins.
    """
    named = [file for file in files if _may_be(file, constraints)]
    text = _read(constraints) if named else None
    if text is None:
        return Sliced(tuple(files))
    digest = hashlib.sha256(text).hexdigest()
    mine = {file for file in named if file.sha256 == digest}
    if not mine:
        return Sliced(tuple(files))
    matters = find_what_matters(pinned_in(text.decode("utf-8")))
    part = None if matters.whole else cut(text.decode("utf-8"), matters.projects)
    if part is None:
        return Sliced(tuple(files), matters.whole or "it has options, hashes or addresses in it")
    return Sliced(tuple(_with_text(file, part) if file in mine else file for file in files))


def cut(text: str, projects: frozenset[str]) -> str | None:
    """Return the lines about projects, without comments; None where lines say something else."""
    kept = []
    for _, line in logical_lines(text):
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            return None
        if requirement.url:
            return None
        if canonicalize_name(requirement.name) in projects:
            kept.append(f"{line}\n")
    return "".join(kept)


def pinned_in(text: str) -> frozenset[str]:
    """Return the projects that constraints pin to one version, whatever they are installed on."""
    found = set()
    for _, line in logical_lines(text):
        with contextlib.suppress(InvalidRequirement):
            requirement = Requirement(line)
            if requirement.marker is None and any(map(_is_exact, requirement.specifier)):
                found.add(canonicalize_name(requirement.name))
    return frozenset(found)


def _is_exact(specifier: Specifier) -> bool:
    return specifier.operator in {"==", "==="} and not specifier.version.endswith("*")


def what_matters(
    graph: Graph, lock: Lock, platform: Platform, name: str, file: str, pinned: frozenset[str]
) -> Mattering:
    """Return the projects whose constraints matter to an image.

    They are those it holds and those that build them. What stands on it may use the constraints
    that it finds there, unless it copies a `file` of its own; so what that holds matters too.
    Who installs from an index may get other versions than the lock has, which need others again:
    what those are is known only where all that it adds is `pinned`.
    """
    image = graph.images[name]
    if image.build and image.build.settings.whole_constraints:
        return Mattering(whole="whole-constraints is set")
    projects = set(_INSTALLERS)
    users = (graph.images[user] for user in graph.descendants([name]))
    for user in users:
        if user is not image and (user.build is None or _copies(user, file)):
            continue
        if not user.is_locked:
            who = "its" if user is image else f"{user.name} stands on it, and its"
            return Mattering(whole=f"{who} requirements are not named in the settings")
        held = _held(graph, lock, platform, user.name)
        if held is None:
            return Mattering(whole=f"the requirements of {user.name} are not locked")
        adds = {wheel.name for wheel in lock.image(user.name, platform).wheels}
        if user.name not in graph.takes_wheels and (loose := min(adds - pinned, default="")):
            return Mattering(
                whole=f"{user.name} installs {loose} from an index, and no line pins it with =="
            )
        projects |= held
    return Mattering(frozenset(projects))


def _held(graph: Graph, lock: Lock, platform: Platform, name: str) -> set[str] | None:
    """Return the projects that an image holds and what builds them; None where not known."""
    adds = [lock.images.get((image.name, platform)) for image in graph.chain(name)]
    if any(part is None or part.unavailable for part in adds):
        return None
    wheels = {wheel for part in adds if part for wheel in part.wheels}
    builds = (build for build in lock.builds if {build.sdist, build.wheel} & wheels)
    needed = {item.name for build in builds for item in build.requires}
    return needed | {wheel.name for wheel in wheels}


def _copies(image: Image, file: str) -> bool:
    sources = image.build.uses.sources if image.build else ()
    return any(os.path.basename(source.path) == file for source in sources)  # noqa: PTH119 - text


def _may_be(file: SourceFile, constraints: Path) -> bool:
    return not file.link and Path(file.source).name == constraints.name


def _read(file: Path) -> bytes | None:
    try:
        text = file.read_bytes()
        text.decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return text


def _with_text(file: SourceFile, text: str) -> SourceFile:
    data = text.encode()
    digest = hashlib.sha256(data).hexdigest()
    return replace(file, size_bytes=len(data), sha256=digest, text=text)
