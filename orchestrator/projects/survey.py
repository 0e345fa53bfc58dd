"""All projects of a repository: which are services, which are for other projects."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from orchestrator.discovery.definitions import choose_names
from orchestrator.discovery.drafts import Undecided
from orchestrator.projects import pyproject
from orchestrator.projects.program import find_parts, find_program
from orchestrator.projects.project import Project, projects_of
from orchestrator.projects.recipes import Draft
from orchestrator.projects.requirement_files import read_requirement_file, requirement_file_of

PYTHON, SUITE = "3.11", "bookworm"
_PATCHES = 20
"""So many patch versions of a Python are held against what a project asks for."""


def read_projects(root: Path, paths: Sequence[str]) -> tuple[list[Project], list[Undecided]]:
    """Read the projects of a repository, and what is not decided of files that describe none.

    A folder with the file of a project is one, and so is one that a project takes by its path.
    """
    projects: dict[PurePosixPath, Project] = {}
    undecided: list[Undecided] = []
    present = frozenset(paths)
    for folder in sorted({_folder_of(PurePosixPath(path)) for path in paths}):
        described, listed = None, None
        if str(folder / pyproject.FILE) in present:
            described, left = pyproject.read_pyproject(root, folder / pyproject.FILE)
            undecided += left
        if not (described and described.asks_for_something):
            file = requirement_file_of(folder, present)
            listed = read_requirement_file(root, folder, file) if file else None
        project = listed.described_by(described) if listed and described else listed or described
        if project:
            projects[folder] = project
    for user in list(projects.values()):
        for folder in user.local_folders:
            projects.setdefault(folder, _undescribed(user, folder, paths))
    return list(projects.values()), undecided


def _undescribed(user: Project, folder: PurePosixPath, paths: Sequence[str]) -> Project:
    """Return what a project takes by its path, where no file says more of it."""
    is_there = any(PurePosixPath(path).is_relative_to(folder) for path in paths)
    said = (
        "which no file describes: what it needs is not known" if is_there else "which is not here"
    )
    hint = f"add what it needs to the requirements of {user.folder}" if is_there else ""
    left = Undecided(str(user.file), None, f"takes {folder}, {said}", hint)
    return Project(folder, folder / "setup.py", folder.name, undecided=(left,))


def _folder_of(path: PurePosixPath) -> PurePosixPath:
    is_below = path.parent.name == "requirements" and path.suffix == ".txt"
    return path.parent.parent if is_below else path.parent


def draft_services(
    root: Path, paths: Sequence[str], projects: Sequence[Project]
) -> tuple[list[Draft], list[Undecided]]:
    """Return the services that projects speak for, and what is not decided of any project.

    What another project takes from its folder is for that one, and no service itself.
    """
    owned = _owned(projects, paths)
    tree = _Tree(projects)
    undecided = [item for project in projects for item in project.undecided]
    services = [one for one in projects if one.folder not in tree.taken]
    at_root = (one.name for one in services if one.folder == PurePosixPath())
    root_name = next(at_root, "") or root.name
    names = choose_names([(one.folder, "") for one in services], root_name)
    drafts = []
    for project, name in zip(services, names, strict=True):
        needed = tuple(tree.needed(project))
        parts = tuple(part for one in needed for part in find_parts(one.folder, owned[one.folder]))
        files = [path for one in needed for path in owned[one.folder]]
        lines = tuple(dict.fromkeys(line for one in needed for line in one.requirements))
        program = find_program(root, project, parts, files, projects_of(lines))
        problem = _problem(project, name, has_program=program is not None)
        if problem is None and program is not None:
            folder = _place(project, name)
            drafts.append(Draft(name, folder, project, program, parts, lines))
        elif problem is not None:
            undecided.append(problem)
    return drafts, undecided


def _owned(
    projects: Sequence[Project], paths: Sequence[str]
) -> dict[PurePosixPath, list[PurePosixPath]]:
    """Return the Python files of each project, by its folder: those in none of a project within."""
    owned: dict[PurePosixPath, list[PurePosixPath]] = {one.folder: [] for one in projects}
    for path in (PurePosixPath(path) for path in paths if path.endswith(".py")):
        owner = next((folder for folder in path.parents if folder in owned), None)
        if owner is not None:
            owned[owner].append(path)
    return owned


class _Tree:
    """Projects, and which of them are made of which others."""

    def __init__(self, projects: Sequence[Project]) -> None:
        self._by_folder = {one.folder: one for one in projects}
        self._by_name: dict[str, Project] = {canonicalize_name(one.name): one for one in projects}
        self.taken = {used.folder for one in projects for used in self._uses(one)}

    def _uses(self, project: Project) -> Iterator[Project]:
        named = (self._by_name.get(name) for name in project.local)
        placed = (self._by_folder.get(folder) for folder in project.local_folders)
        yield from (one for one in (*named, *placed) if one is not None and one is not project)

    def needed(self, project: Project) -> list[Project]:
        """Return a project and all it is made of, each once."""
        found = {project.folder: project}
        pending = [project]
        while pending:
            for used in self._uses(pending.pop()):
                if used.folder not in found:
                    found[used.folder] = used
                    pending.append(used)
        return list(found.values())


def _problem(project: Project, name: str, *, has_program: bool) -> Undecided | None:
    if not _runs_on(project.requires_python):
        message = f"asks for Python {project.requires_python}; debian:{SUITE} has {PYTHON}"
        hint = 'write its recipe on an external image with that Python: from = "python:3.13-slim"'
        return Undecided(str(project.file), None, message, hint, image=name)
    if not has_program:
        message = "nothing is found that starts it: no application with a server, script, or main"
        hint = (
            "write its image.toml, as orch new service writes one; "
            "if it is no service, nothing is to be done"
        )
        return Undecided(str(project.file), None, message, hint, image=name)
    return None


def _runs_on(requires_python: str) -> bool:
    try:
        wanted = SpecifierSet(requires_python)
    except InvalidSpecifier:
        return True
    return any(wanted.contains(f"{PYTHON}.{patch}") for patch in range(_PATCHES))


def _place(project: Project, name: str) -> PurePosixPath:
    """Return where a recipe goes: the project's own folder, if that can name the image."""
    is_named = project.folder.name == name
    return project.folder if is_named else PurePosixPath("services", name)


def asked_of(drafts: Collection[Draft]) -> frozenset[str]:
    """Return the normalised names of what services ask for."""
    return projects_of(line for draft in drafts for line in draft.requirements)
