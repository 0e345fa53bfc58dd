"""Reading a workspace for rules: what is broken becomes a finding, and the rest is read."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.checks.dockerfile_requirements import with_installed
from orchestrator.checks.finding import Finding, Region, Severity
from orchestrator.checks.sources import Sources
from orchestrator.checks.subject import Subject
from orchestrator.errors import LockError, OrchError, unreadable
from orchestrator.foundations import check_foundations
from orchestrator.graph import Graph, build_graph
from orchestrator.lockfile import LOCK_FILE, Lock, parse_lock
from orchestrator.model import Image, Settings, Workspace
from orchestrator.resolve.inputs import constraints_file
from orchestrator.resolve.python.requirements import (
    RequirementLine,
    read_requirements,
    requirement_files,
)
from orchestrator.texts import read_text
from orchestrator.workspace import read_images

_LONGEST = 500
"""How much of a message is kept: it may quote a line of any length."""

INVALID_FILE = "invalid-file"
"""The rule that findings about files which cannot be read are of."""


def read_subject(settings: Settings, choose: Callable[[Graph], Iterable[str]]) -> Subject:
    """Read what rules look at; `choose` selects images of the graph.

    A recipe, Dockerfile, requirements file or lock that is broken is a problem of the subject;
    what stands on an image that could not be read is left out.

    Raises:
        WorkspaceError: The settings are wrong, or edges that are no single image's fault.
    """
    return _Reading(settings).subject(choose)


@dataclass(slots=True)
class _Reading:
    settings: Settings
    problems: list[Finding] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)

    @property
    def root(self) -> Path:
        return self.settings.file.parent

    def subject(self, choose: Callable[[Graph], Iterable[str]]) -> Subject:
        workspace = read_images(self.settings, self._lose)
        workspace, graph = self._order(workspace)
        sources = Sources(self.root)
        requirements = {
            image.name: self._requirements(sources, image) for image in graph.images.values()
        }
        constraints = self._constraints(sources)
        lock = self._lock(graph)
        for image in graph.images.values():
            sources.text(str(image.file))
        return with_installed(
            Subject(
                workspace,
                graph,
                lock,
                sources,
                frozenset(choose(graph)),
                requirements,
                constraints,
                tuple(self.problems),
            )
        )

    def _lose(self, name: str, error: OrchError) -> None:
        self.lost.add(name)
        self._note(error, name)

    def _note(self, error: OrchError, image: str = "") -> None:
        file = os.path.relpath(self.root / error.file, self.root) if error.file else ""
        region = Region(error.line) if error.line else None
        message = textwrap.shorten(error.message, _LONGEST, placeholder=" ...")
        self.problems.append(
            Finding(INVALID_FILE, Severity.ERROR, message, error.hint, file, region, image)
        )

    def _order(self, workspace: Workspace) -> tuple[Workspace, Graph]:
        """Order what can be ordered: an image whose edges are wrong is left out, and reported."""
        while True:
            workspace = self._without_lost(workspace)
            try:
                graph = build_graph(workspace)
                break
            except OrchError as error:
                found = workspace.images.values()
                culprit = [image for image in found if str(self.root / image.file) == error.file]
                if not culprit:
                    raise
                self._lose(culprit[0].name, error)
        try:
            check_foundations(workspace, graph)
        except OrchError as error:
            self._note(error)
        return workspace, graph

    def _without_lost(self, workspace: Workspace) -> Workspace:
        """Leave out what could not be read, and recipes that stand on it."""
        images = dict(workspace.images)
        lost = None
        while lost != self.lost:
            lost = set(self.lost)
            self.lost |= {name for name, image in images.items() if image.parent in lost}
        kept = {name: image for name, image in images.items() if name not in self.lost}
        return replace(workspace, images=kept)

    def _requirements(self, sources: Sources, image: Image) -> tuple[RequirementLine, ...]:
        found: list[RequirementLine] = []
        for name in image.recipe.requirements:
            file = self.root / image.path / name
            found += self._read_lines(sources, file, image.name)
        return tuple(found)

    def _constraints(self, sources: Sources) -> tuple[RequirementLine, ...]:
        file = constraints_file(self.root, self.settings)
        return self._read_lines(sources, file) if file else ()

    def _read_lines(
        self, sources: Sources, file: Path, image: str = ""
    ) -> tuple[RequirementLine, ...]:
        for each in requirement_files(file):
            sources.text(os.path.relpath(each, self.root))
        try:
            return read_requirements(file, self.root)
        except OrchError as error:
            self._note(error, image)
            return ()

    def _lock(self, graph: Graph) -> Lock | None:
        file = self.root / LOCK_FILE
        if not file.exists():
            return None if graph.locked else Lock()
        try:
            return parse_lock(read_text(file))
        except OrchError as error:
            self._note(error)
        except (OSError, UnicodeDecodeError) as error:
            self._note(unreadable(error, LOCK_FILE, LockError))
        return None
