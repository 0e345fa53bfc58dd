"""`orch init`: settings for a repository that has none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from orchestrator.atomic import write_text
from orchestrator.context import read_context
from orchestrator.discovery.proposal import Proposal, propose
from orchestrator.errors import WorkspaceError
from orchestrator.files import read_files
from orchestrator.git import present_files
from orchestrator.graph import Graph
from orchestrator.model import Image, Workspace
from orchestrator.settings import find_settings

_NEVER_ENTERED = frozenset(
    {".git", ".hg", ".orch", ".tox", ".venv", "__pycache__", "node_modules", "venv"}
)


class _NoDigests:
    """Digests of a check that files are there, which need not be read for it."""

    def sha256_of(self, path: str, status: os.stat_result) -> str:  # noqa: ARG002 - as the others
        """Return none."""
        return ""


def initialise(directory: Path, *, write: bool, force: bool) -> Proposal:
    """Propose settings for a folder, and write them unless told not to.

    Raises:
        WorkspaceError: The folder has settings and `force` is not given, or holds no image.
    """
    root = directory.resolve()
    if not force:
        _check_has_none(root)
    proposal = propose(root, _files(root), _check_files)
    if write:
        write_text(proposal.workspace.settings.file, proposal.text)
    return proposal


def _check_has_none(root: Path) -> None:
    try:
        file, _ = find_settings(root)
    except WorkspaceError:
        return
    where = "this folder has" if file.parent == root else f"{root} belongs to a workspace that has"
    hint = "edit them; orch init --force writes an orch.toml here all the same"
    raise WorkspaceError(f"{where} settings already", file=file, hint=hint)


def _files(root: Path) -> list[str]:
    """Return the files of a folder, sorted: those that git does not ignore, where it knows."""
    known = present_files(root)
    return sorted(known or _walk(root))


def _walk(root: Path) -> Iterator[str]:
    for folder, below, names in os.walk(root):
        below[:] = sorted(set(below) - _NEVER_ENTERED)
        if "pyvenv.cfg" in names:
            below.clear()
            continue
        yield from (os.path.relpath(f"{folder}/{name}", root) for name in names)


def _check_files(workspace: Workspace, graph: Graph, image: Image) -> None:
    if image.build is None:
        read_files(workspace, image, _NoDigests())
        return
    above = (graph.images[name].build for name in graph.ancestors([image.name]))
    whole = any(build.uses.onbuild for build in above if build and build is not image.build)
    read_context(workspace, image, _NoDigests(), whole=whole)
