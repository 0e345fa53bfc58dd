"""The settings that a repository's files speak for, and the graph that they give."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from orchestrator.discovery.compose import is_compose_file, read_builds
from orchestrator.discovery.definitions import find_definitions
from orchestrator.discovery.drafts import Draft, Undecided, read_drafts, undecided_of
from orchestrator.discovery.guesses import Guess, guess_names, registry_and_aliases
from orchestrator.discovery.writing import format_settings
from orchestrator.errors import OrchError, WorkspaceError
from orchestrator.graph import Graph, build_graph
from orchestrator.model import Image, ImageKind, Settings, Workspace
from orchestrator.settings import SETTINGS_FILE, take_settings
from orchestrator.tables import Table
from orchestrator.workspace import read_images

_BASE_FOLDERS = frozenset({"base", "base-images", "bases"})

Check = Callable[[Workspace, Graph, Image], object]
"""Raises an `OrchError` where an image's files are not to be had."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Settings as text, the graph that they give, and what was guessed or left open.

    `files` are what is to be written besides the settings, by path from the root.
    """

    text: str
    workspace: Workspace
    graph: Graph
    guesses: tuple[Guess, ...]
    undecided: tuple[Undecided, ...]
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def external(self) -> Mapping[str, tuple[str, ...]]:
        """Return, for each reference to an image elsewhere, the images that use it."""
        users: dict[str, list[str]] = {}
        for name, references in self.graph.external.items():
            for reference in references:
                users.setdefault(reference, []).append(name)
        return {reference: tuple(users[reference]) for reference in sorted(users)}


def propose(root: Path, paths: Sequence[str], check: Check) -> Proposal:
    """Propose settings for a repository that holds files at these paths.

    An image that cannot be read, or whose files are not there, is left out and undecided, so that
    the workspace proposed is a valid one.

    Raises:
        WorkspaceError: No file defines an image.
    """
    files = find_definitions(paths)
    if not files:
        raise WorkspaceError(
            f"no Dockerfile, no image.toml and no Python project in {root} or below",
            hint="write one, for example base/python-base/Dockerfile, and run orch init again; "
            "in an empty folder orch init writes a workspace to begin with",
        )
    builds = [build for path in paths if is_compose_file(path) for build in read_builds(root, path)]
    defining = {str(file.path) for file in files}
    others = [PurePosixPath(path).parent for path in paths if path not in defining]
    folders = _with_parents(others)
    empty = Settings(root / SETTINGS_FILE)
    drafts, undecided = read_drafts(empty, files, builds, folders)
    names = guess_names(drafts)
    registry, aliases = registry_and_aliases(names.prefixes)
    settings = replace(empty, registry=registry, aliases=aliases)
    kept, graph, left_out = _settle(settings, names.drafts, check)
    images = _with_kinds(kept, graph)
    workspace = Workspace(root, settings, {image.name: image for image in images})
    everything = sorted({*undecided, *names.undecided, *left_out}, key=_by_place)
    text = format_settings(workspace, everything)
    proposed = read_images(
        take_settings(Table(tomllib.loads(text), settings.file, text), settings.file)
    )
    return Proposal(
        text,
        proposed,
        build_graph(proposed),
        names.guesses,
        tuple(everything),
    )


def _by_place(item: Undecided) -> tuple[str, int, str]:
    return item.file, item.line or 0, item.message


def _with_parents(folders: Iterable[PurePosixPath]) -> set[PurePosixPath]:
    return {above for folder in set(folders) for above in (folder, *folder.parents)}


def _settle(
    settings: Settings, drafts: Sequence[Draft], check: Check
) -> tuple[list[Image], Graph, list[Undecided]]:
    """Leave out images, one by one, until the rest is a graph and every file of it is there."""
    root = settings.file.parent
    kept = {draft.name: draft.image for draft in drafts}
    left_out: list[Undecided] = []
    while True:
        workspace = Workspace(root, settings, kept)
        setting = ""
        try:
            graph = build_graph(workspace)
        except OrchError as error:
            faulty = [name for name, image in kept.items() if str(root / image.file) == error.file]
            if not faulty:
                raise
            faults = {faulty[0]: error}
        else:
            faults, setting = _faults(workspace, graph, check), 'path = "..."'
        if not faults:
            return list(kept.values()), graph, left_out
        for name, fault in faults.items():
            image = kept.pop(name)
            left_out.append(
                undecided_of(root, fault, image.file, name, setting if image.build else "")
            )


def _faults(workspace: Workspace, graph: Graph, check: Check) -> dict[str, OrchError]:
    faults = {}
    for name, image in graph.images.items():
        try:
            check(workspace, graph, image)
        except OrchError as error:
            faults[name] = error
    return faults


def _with_kinds(images: Iterable[Image], graph: Graph) -> list[Image]:
    """Return the images as bases where others stand on them or their folder says so."""
    found = []
    for image in images:
        is_base = graph.dependents[image.name] or _BASE_FOLDERS & set(image.file.parts[:-2])
        found.append(replace(image, kind=ImageKind.BASE if is_base else ImageKind.SERVICE))
    return found
