"""What rules look at: the workspace, its graph and lock, and its files, read once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.checks.finding import Finding
from orchestrator.checks.sources import Sources
from orchestrator.deployments import DeploymentFile, read_deployment
from orchestrator.deployments.finding import ENDINGS, find_deployment_paths
from orchestrator.dockerfile import parse_dockerfile
from orchestrator.dockerfile.stages import Dockerfile
from orchestrator.errors import OrchError
from orchestrator.graph import Graph
from orchestrator.lockfile import Lock
from orchestrator.model import Image, LockedWheel, Settings, Workspace
from orchestrator.resolve.python.requirements import RequirementLine


@dataclass(frozen=True, slots=True)
class Subject:
    """A workspace as rules see it; nothing of it changes while they look.

    `lock` is None where there is none or it cannot be read. `selected` are the images that were
    asked for; findings about others are dropped, so that a rule may look at them all.
    `requirements` and `constraints` have what could be read; `problems` are what could not.
    """

    workspace: Workspace
    graph: Graph
    lock: Lock | None
    sources: Sources
    selected: frozenset[str]
    requirements: Mapping[str, tuple[RequirementLine, ...]] = field(default_factory=dict)
    constraints: tuple[RequirementLine, ...] = ()
    problems: tuple[Finding, ...] = ()
    _wheels: dict[str, tuple[LockedWheel, ...]] = field(default_factory=dict, repr=False)
    _readers: dict[str, set[str]] = field(default_factory=dict, repr=False)
    _dockerfiles: dict[str, Dockerfile | None] = field(default_factory=dict, repr=False)
    _deployments: list[DeploymentFile] = field(default_factory=list, repr=False)

    @property
    def settings(self) -> Settings:
        """Return the settings of the workspace."""
        return self.workspace.settings

    @property
    def settings_file(self) -> str:
        """Return the file with the settings, relative to the root."""
        return self.settings.file.relative_to(self.workspace.root).as_posix()

    def images(self) -> Iterator[Image]:
        """Yield the selected images, parents first."""
        for name, image in self.graph.images.items():
            if name in self.selected:
                yield image

    def below(self, image: Image) -> Iterator[Image]:
        """Yield the siblings that an image's layers begin with, the nearest first."""
        name = self.graph.below.get(image.name)
        while name:
            yield self.graph.images[name]
            name = self.graph.below.get(name)

    def wheels(self, image: Image) -> tuple[LockedWheel, ...]:
        """Return what the lock has an image add, on any platform; none where it is not locked."""
        if image.name not in self._wheels:
            images = self.lock.images if self.lock else {}
            adds = [images.get((image.name, platform)) for platform in self.settings.platforms]
            wheels = dict.fromkeys(wheel for part in adds if part for wheel in part.wheels)
            self._wheels[image.name] = tuple(wheels)
        return self._wheels[image.name]

    def readers(self, line: RequirementLine) -> frozenset[str]:
        """Return the images that ask for what a line asks for because they read this very line."""
        if not self._readers:
            for name, lines in self.requirements.items():
                for each in lines:
                    self._readers.setdefault(each.where, set()).add(name)
        return frozenset(self._readers.get(line.where, ()))

    def dockerfile(self, image: Image) -> Dockerfile | None:
        """Return an image's Dockerfile, parsed; None for a recipe, or where it has no text."""
        path = str(image.file)
        if image.build is None:
            return None
        if path not in self._dockerfiles:
            self._dockerfiles[path] = self._parse(path)
        return self._dockerfiles[path]

    def deployments(self) -> tuple[DeploymentFile, ...]:
        """Return the files that say how images are deployed, as far as they name any.

        Raises:
            WorkspaceError: The settings name files by what is no glob.
        """
        if not self._deployments:
            listed = self.sources.paths(*ENDINGS)
            paths = find_deployment_paths(self.workspace.root, self.settings, listed)
            texts = ((path, self.sources.text(path)) for path in paths)
            self._deployments.extend(read_deployment(path, text) for path, text in texts if text)
        return tuple(self._deployments)

    def _parse(self, path: str) -> Dockerfile | None:
        text = self.sources.text(path)
        try:
            return None if text is None else parse_dockerfile(text, path)
        except OrchError:
            return None
