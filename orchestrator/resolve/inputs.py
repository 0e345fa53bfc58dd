"""What a workspace asks of a lock, and whether a lock still answers it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestrator.errors import LockError, WorkspaceError
from orchestrator.graph import DEBIAN_PREFIX, Graph
from orchestrator.lockfile import Asked, Lock
from orchestrator.model import LockedWheel, Platform, Settings, Workspace
from orchestrator.resolve.python.markers import marker_environment
from orchestrator.resolve.python.requirements import RequirementLine, read_requirements

_encode = json.JSONEncoder(sort_keys=True).encode
"""Made once: making an encoder takes as long as using it, and there may be very many images."""


def read_tree_requirements(workspace: Workspace) -> dict[str, tuple[RequirementLine, ...]]:
    """Read what each image asks for, by image name.

    Raises:
        WorkspaceError: A requirement file is not valid.
    """
    return {
        image.name: tuple(
            line
            for name in image.recipe.requirements
            for line in read_requirements(workspace.root / image.path / name, workspace.root)
        )
        for image in workspace.images.values()
    }


def read_constraints(workspace: Workspace) -> tuple[RequirementLine, ...]:
    """Read the workspace's constraints; none where the file is absent.

    Raises:
        WorkspaceError: A line is no requirement, or the file cannot be read.
    """
    file = constraints_file(workspace.root, workspace.settings)
    return read_requirements(file, workspace.root) if file else ()


def constraints_file(root: Path, settings: Settings) -> Path | None:
    """Return the file of constraints; None where there is nothing of its name, not even a link."""
    file = root / settings.constraints
    return file if settings.constraints and os.path.lexists(file) else None


def inputs_digest(
    workspace: Workspace, graph: Graph, name: str, lines: Iterable[RequirementLine]
) -> str:
    """Return the digest of what an image asks for, to tell whether a lock still answers it.

    Constraints are not part of it: whether pins satisfy them is checked by themselves.
    """
    asked, settings = asked_of(workspace, graph, name, lines), workspace.settings
    return digest_of(asked, settings.python.version, settings.debian.suite)


def asked_of(
    workspace: Workspace, graph: Graph, name: str, lines: Iterable[RequirementLine]
) -> Asked:
    """Return what an image asks for, sorted: their order does not count."""
    image, settings = graph.images[name], workspace.settings
    requirements = tuple(sorted(str(line) for line in lines))
    if image.build is not None:
        chain = graph.chain(name)
        parent = chain[-2].name if len(chain) > 1 else ""
        return Asked(parent, (), requirements, _said_of_target(graph, settings, name))
    debs = tuple(sorted(wanted_debs(workspace, graph, name)))
    return Asked(image.parent, debs, requirements)


def other_python(graph: Graph, settings: Settings, name: str) -> str:
    """Return an image's Python where it is another than the workspace's, else nothing."""
    python = graph.pythons[name]
    return python if python != settings.python.version else ""


def _said_of_target(graph: Graph, settings: Settings, name: str) -> str:
    """Return what the settings say that a Dockerfile's wheels must fit, as far as they do."""
    said = (image.build.settings.glibc for image in reversed(graph.chain(name)) if image.build)
    glibc, python = next(filter(None, said), ""), other_python(graph, settings, name)
    return ", ".join(
        f"{what} {version}" for what, version in (("Python", python), ("glibc", glibc)) if version
    )


def digest_of(asked: Asked, python: str, suite: str) -> str:
    """Return the digest of what an image asks for, of a Python version and a Debian suite."""
    inputs = {
        "from": asked.parent,
        "system": asked.debs,
        "python": asked.requirements,
        "version": python,
        "suite": suite,
        **({"target": asked.target} if asked.target else {}),
    }
    return hashlib.sha256(_encode(inputs).encode()).hexdigest()[:16]


def wanted_debs(workspace: Workspace, graph: Graph, name: str) -> tuple[str, ...]:
    """Return the Debian packages an image asks for; a root's essential ones come first.

    Raises:
        WorkspaceError: It stands on another suite than the workspace's.
    """
    image = graph.images[name]
    if image.build is not None:
        return ()
    wanted = image.recipe.system_packages
    if image.parent.startswith(DEBIAN_PREFIX) and image.parent not in graph.images:
        suite = image.parent.removeprefix(DEBIAN_PREFIX)
        if suite != workspace.settings.debian.suite:
            raise WorkspaceError(
                f"{name} stands on {image.parent}, but the workspace's suite is "
                f"{workspace.settings.debian.suite}",
                file=str(image.file),
                line=image.recipe.parent_line,
                hint="use one suite: [debian] suite in the settings",
            )
        wanted = (*workspace.settings.debian.essential, *wanted)
    return tuple(dict.fromkeys(wanted))


def check_lock(workspace: Workspace, graph: Graph, lock: Lock, platform: Platform) -> None:
    """Make sure that a lock answers what the workspace asks for now.

    Raises:
        LockError: An image is not locked, asks for something else now, or a constraint moved.
    """
    lines = read_tree_requirements(workspace)
    behind = [
        name
        for name in graph.locked
        if lock.image(name, platform).inputs != inputs_digest(workspace, graph, name, lines[name])
    ]
    behind += [name for _, name, _ in broken_constraints(workspace, graph, lock, platform)]
    if behind:
        shown = ", ".join(dict.fromkeys(behind))
        raise LockError(
            f"orch.lock is behind what is asked for by: {shown}",
            hint="run: orch lock (orch lock --check says what has changed)",
        )


def broken_constraints(
    workspace: Workspace, graph: Graph, lock: Lock, platform: Platform
) -> Iterator[tuple[RequirementLine, str, LockedWheel]]:
    """Yield each constraint that a pin breaks, the image that adds the pin, and the pin."""
    environments = {
        python: marker_environment(python, platform) for python in set(graph.pythons.values())
    }
    locked = ((name, lock.images.get((name, platform))) for name in graph.locked)
    held = {name: {wheel.name: wheel for wheel in adds.wheels} for name, adds in locked if adds}
    for line in read_constraints(workspace):
        project = line.name
        for name, wheels in held.items():
            wheel = wheels.get(project)
            if (
                wheel
                and not line.allows(wheel.version)
                and line.applies(environments[graph.pythons[name]])
            ):
                yield line, name, wheel
