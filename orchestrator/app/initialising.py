"""`orch init`: settings for a repository that has none, and files for a folder that has none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from orchestrator.app.new_files import new_files, write_new_files
from orchestrator.app.present import list_files
from orchestrator.app.projecting import propose_projects
from orchestrator.app.starting import propose_starter
from orchestrator.atomic import write_text
from orchestrator.context import read_context
from orchestrator.discovery.definitions import find_definitions, is_as_good_as_empty
from orchestrator.discovery.proposal import Proposal, propose
from orchestrator.errors import WorkspaceError
from orchestrator.files import read_files
from orchestrator.graph import Graph
from orchestrator.model import Image, Workspace
from orchestrator.settings import find_settings


class _NoDigests:
    """Digests of a check that files are there, which need not be read for it."""

    def sha256_of(self, path: str, status: os.stat_result) -> str:  # noqa: ARG002 - as the others
        """Return none."""
        return ""


def initialise(directory: Path, *, write: bool, force: bool) -> Proposal:
    """Propose settings for a folder, and write them unless told not to.

    A folder with nothing in it gets a small workspace; no file but the settings is written over.

    Raises:
        WorkspaceError: The folder has settings and `force` is not given, or what it holds is
            neither images nor made into some.
    """
    root = directory.resolve()
    if not force:
        _check_has_none(root)
    proposal = _propose(root, list_files(root))
    if write:
        write_new_files(root, new_files(proposal.files))
        write_text(proposal.workspace.settings.file, proposal.text)
    return proposal


def _propose(root: Path, paths: Sequence[str]) -> Proposal:
    """Propose for images that are there, else for Python projects, else to begin with."""
    if not find_definitions(paths):
        if is_as_good_as_empty(paths):
            return propose_starter(root, paths)
        if proposal := propose_projects(root, paths):
            return proposal
    return propose(root, paths, _check_files)


def _check_has_none(root: Path) -> None:
    try:
        file, _ = find_settings(root)
    except WorkspaceError:
        return
    where = "this folder has" if file.parent == root else f"{root} belongs to a workspace that has"
    hint = (
        "edit them, or add an image with orch new; "
        "orch init --force writes an orch.toml here all the same"
    )
    raise WorkspaceError(f"{where} settings already", file=file, hint=hint)


def _check_files(workspace: Workspace, graph: Graph, image: Image) -> None:
    if image.build is None:
        read_files(workspace, image, _NoDigests())
        return
    above = (graph.images[name].build for name in graph.ancestors([image.name]))
    whole = any(build.uses.onbuild for build in above if build and build is not image.build)
    read_context(workspace, image, _NoDigests(), whole=whole)
