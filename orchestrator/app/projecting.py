"""Settings and recipes for a repository of Python projects that has none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.app.staging import read_staged
from orchestrator.discovery.drafts import Undecided
from orchestrator.discovery.guesses import Guess
from orchestrator.discovery.proposal import Proposal
from orchestrator.discovery.writing import format_settings
from orchestrator.errors import WorkspaceError
from orchestrator.graph import build_graph
from orchestrator.model import PythonSettings
from orchestrator.projects.pins import read_pins
from orchestrator.projects.recipes import BASE, Draft, draft_files
from orchestrator.projects.survey import (
    PYTHON,
    SUITE,
    asked_of,
    draft_services,
    read_projects,
)
from orchestrator.settings import SETTINGS_FILE
from orchestrator.templates.images import debian_base_files

_SHOWN = 3
_CONSTRAINTS = "constraints.txt"


def propose_projects(root: Path, paths: Sequence[str]) -> Proposal | None:
    """Propose a base and a service for each project that runs; None where there is no project.

    Constraints that are there stay. The workspace is tried before it is proposed.

    Raises:
        WorkspaceError: There are projects, and nothing says what starts any of them.
    """
    projects, unread = read_projects(root, paths)
    if not projects:
        return None
    drafts, undecided = draft_services(root, paths, projects)
    undecided += unread
    if not drafts:
        raise WorkspaceError(
            f"of {len(projects)} Python projects in {root} none is found to start anything",
            hint="; ".join(f"{item.place}: {item.message}" for item in undecided[:_SHOWN])
            or "say under [project.scripts] of a pyproject.toml what starts it",
        )
    files, guesses = _base_files(), []
    for draft in drafts:
        drafted = draft_files(draft, paths, PythonSettings().venv)
        files |= drafted.files
        guesses += drafted.guesses
        undecided += drafted.undecided
    if _CONSTRAINTS not in paths:
        pins, open_pins = read_pins(root, paths, asked_of(drafts))
        files |= {_CONSTRAINTS: pins} if pins else {}
        undecided += open_pins
    return _proposal(root, files, drafts, guesses, undecided)


def _base_files() -> dict[str, str]:
    files = debian_base_files(SUITE, PYTHON)
    return {f"base/{BASE}/{path}": text for path, text in files.items()}


def _proposal(
    root: Path,
    files: dict[str, str],
    drafts: Sequence[Draft],
    guesses: Sequence[Guess],
    undecided: Sequence[Undecided],
) -> Proposal:
    services = ", ".join(f"'{draft.folder}'" for draft in drafts)
    named = {str(draft.project.file): "" for draft in drafts if draft.project.as_it_is}
    staged = {**named, **files}
    workspace = read_staged(root, {**staged, SETTINGS_FILE: f"services = [{services}]\n"})
    ordered = sorted(undecided, key=lambda item: (item.file, item.line or 0, item.message))
    text = format_settings(workspace, ordered)
    workspace = read_staged(root, {**staged, SETTINGS_FILE: text})
    return Proposal(text, workspace, build_graph(workspace), tuple(guesses), tuple(ordered), files)
