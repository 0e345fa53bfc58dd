"""What a workspace asks of a lock, and whether a lock still answers it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from orchestrator.errors import LockError, WorkspaceError
from orchestrator.graph import DEBIAN_PREFIX, Graph
from orchestrator.lockfile import Lock
from orchestrator.model import Platform, Workspace
from orchestrator.resolve.python.requirements import RequirementLine, read_requirements


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
    """Read the workspace's constraints; none where the file is absent."""
    file = workspace.root / workspace.settings.constraints
    return read_requirements(file, workspace.root) if file.is_file() else ()


def inputs_digest(
    workspace: Workspace, graph: Graph, name: str, lines: Iterable[RequirementLine]
) -> str:
    """Return the digest of what an image asks for, to tell whether a lock still answers it.

    Constraints are not part of it: whether pins satisfy them is checked by themselves.
    """
    image, settings = graph.images[name], workspace.settings
    asked = {
        "from": image.parent,
        "system": sorted(wanted_debs(workspace, graph, name)),
        "python": sorted(str(line) for line in lines),
        "version": settings.python.version,
        "suite": settings.debian.suite,
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def wanted_debs(workspace: Workspace, graph: Graph, name: str) -> tuple[str, ...]:
    """Return the Debian packages an image asks for; a root's essential ones come first."""
    image = graph.images[name]
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
        for name in graph.recipes
        if lock.image(name, platform).inputs != inputs_digest(workspace, graph, name, lines[name])
    ]
    for line in read_constraints(workspace):
        for name in graph.recipes:
            for wheel in lock.image(name, platform).wheels:
                allowed = line.requirement.specifier
                if wheel.name == line.name and not allowed.contains(
                    wheel.version, prereleases=True
                ):
                    behind.append(name)
    if behind:
        shown = ", ".join(dict.fromkeys(behind))
        raise LockError(f"orch.lock is behind what is asked for by: {shown}", hint="run: orch lock")
