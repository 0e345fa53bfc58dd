"""`orch bake`: the selected Dockerfile images as a file for `docker buildx bake`."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.app.opened import Opened, read_lock
from orchestrator.app.planning import BuildOptions, default_platform, plan
from orchestrator.app.tag_values import TagValues, templates_of
from orchestrator.dockerfile import parse_dockerfile
from orchestrator.errors import WorkspaceError
from orchestrator.externals import pins_of
from orchestrator.model import Image
from orchestrator.report.bake import Baked, bake_document
from orchestrator.select import Selection


@dataclass(slots=True)
class _Chosen:
    """The images that are wanted; their fingerprints are taken where something needs them."""

    opened: Opened
    selection: Selection
    notes: list[str]
    fingerprints: dict[str, str] = field(default_factory=dict)

    def names(self) -> tuple[str, ...]:
        if not (self.selection.changed or self.selection.since):
            return self.selection.choose(self.opened.graph)
        options = BuildOptions(default_platform(self.opened), self.selection)
        planned = plan(self.opened, options)
        self.notes += planned.notes
        return planned.wanted

    def fingerprint(self, name: str) -> str:
        if not self.fingerprints:
            planned = plan(self.opened, BuildOptions(default_platform(self.opened), Selection()))
            steps = planned.plan.steps.values()
            self.fingerprints = {step.image.name: step.fingerprint.digest for step in steps}
        return self.fingerprints[name]


def bake(opened: Opened, selection: Selection, now: datetime) -> Baked:
    """Return the bake file of a selection, with the Dockerfiles that it stands on.

    Raises:
        WorkspaceError: No image of the selection is defined by a Dockerfile, or a tag wants
            something that there is not.
    """
    notes: list[str] = []
    chosen = _Chosen(opened, selection, notes)
    names = chosen.names()
    graph, workspace = opened.graph, opened.workspace
    built = {name: graph.images[name] for name in graph.ancestors(names)}
    dockerfiles = {name: image for name, image in built.items() if image.build}
    if not any(name in dockerfiles for name in names):
        hint = "bake builds Dockerfiles; orch build builds recipes too"
        raise WorkspaceError("no Dockerfile image is selected", hint=hint)
    values = TagValues(workspace.root, now, notes)
    tags = {
        name: values.expand(
            templates_of(workspace.settings, name), functools.partial(chosen.fingerprint, name)
        )
        for name in dockerfiles
    }
    stages = {name: _stages(opened, image) for name, image in dockerfiles.items()}
    externals = read_lock(opened).externals if opened.paths.lock.exists() else ()
    pins = {name: pins_of(graph, externals, name) for name in dockerfiles}
    baked = bake_document(workspace, graph, names, tags, stages, pins)
    return Baked(baked.document, (*notes, *baked.warnings))


def _stages(opened: Opened, image: Image) -> frozenset[str]:
    file = opened.workspace.root / image.file
    parsed = parse_dockerfile(file.read_text("utf-8"), str(file))
    return frozenset(stage.name for stage in parsed.stages if stage.name)
