"""A Python project as its files say it, whatever tool they are for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from orchestrator.discovery.drafts import Undecided

INCLUDE = "-r "
"""What stands before the path, from the root, of a file that requirements include."""


@dataclass(frozen=True, slots=True)
class Project:
    """What a project's file says; paths are from the root of the repository.

    `requirements` are PEP 508 texts, without those that lie in the repository: `local` has the
    names of these, and `local_folders` those known by their folder alone. `as_it_is` is set where
    `file` is a requirements file that a recipe can name.
    """

    folder: PurePosixPath
    file: PurePosixPath
    name: str
    summary: str = ""
    requirements: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    local_folders: tuple[PurePosixPath, ...] = ()
    requires_python: str = ""
    scripts: Mapping[str, str] = field(default_factory=dict)
    as_it_is: bool = False
    undecided: tuple[Undecided, ...] = ()

    @property
    def asks_for_something(self) -> bool:
        """Tell whether the file says what the project needs."""
        return bool(self.requirements or self.local or self.local_folders)

    def described_by(self, other: Project) -> Project:
        """Return the project with what another file says of it, but for what it needs."""
        return replace(
            self,
            name=other.name,
            summary=other.summary,
            requires_python=other.requires_python,
            scripts=other.scripts,
        )


def projects_of(requirements: Iterable[str]) -> frozenset[str]:
    """Return the normalised names of what requirements ask for (PEP 503).

    The server that FastAPI brings when asked to is among them.
    """
    names = set()
    for text in requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:  # a line that includes a file
            continue
        names.add(canonicalize_name(requirement.name))
        if requirement.name.lower() == "fastapi" and requirement.extras & {"standard", "all"}:
            names.add(canonicalize_name("uvicorn"))
    return frozenset(names)
