"""`orch deploy`: digests of published images go into the files that say what is deployed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.app.digests import DigestSource, failure_of, find_pins
from orchestrator.app.opened import Opened
from orchestrator.checks.sources import Sources
from orchestrator.deployments import DeploymentFile, read_deployment
from orchestrator.deployments.editing import Edited, pin_images
from orchestrator.deployments.finding import find_deployment_paths
from orchestrator.deployments.intents import Intent, Meant, plan_intents, replaced_names
from orchestrator.deployments.kustomize import NAMES
from orchestrator.deployments.outcomes import Deployed, DeployRun, Fate
from orchestrator.deployments.pinning import ConflictError, Pinned
from orchestrator.errors import OrchError, WorkspaceError
from orchestrator.rewriting import Rewritten, read_source


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """Which files, those of the settings where there are none, and where digests come from."""

    files: tuple[Path, ...] = ()
    source: DigestSource = field(default_factory=DigestSource)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    text: str
    read: DeploymentFile


def deploy(opened: Opened, directory: Path, options: DeployOptions) -> DeployRun:
    """Find what files must say for the images of the workspace to be named by digest.

    A tag that a file names stays, unless one is given; where it names none, the first of the
    settings is meant.

    Raises:
        WorkspaceError: The request or the workspace is wrong, or a file cannot be read.
        RegistryError: The registry does not say what it has.
    """
    run = DeployRun()
    files = list(_read_files(opened, directory, options.files))
    run.notes += [f"{f.read.path}:{note.line}: {note.text}" for f in files for note in f.read.notes]
    replaced = _replaced(opened, [file.read for file in files])
    intents = list(plan_intents(opened.workspace, (file.read for file in files), replaced))
    pins = find_pins(opened, options.source, intents, run.notes)
    for file in files:
        mine = [intent for intent in intents if intent.use.file == file.read.path]
        images, rewritten = _outcomes(file, mine, pins)
        run.images += images
        run.rewritten += [rewritten] if rewritten.after != rewritten.before else []
    if not run.ok:
        run.rewritten.clear()
    return run


def write_deployments(run: DeployRun) -> None:
    """Write the files that change.

    Raises:
        WorkspaceError: One is another by now.
        OrchError: The disk is full, or a folder cannot be written to.
    """
    for file in run.rewritten:
        file.write()


def _read_files(opened: Opened, directory: Path, given: Sequence[Path]) -> Iterator[_File]:
    """Yield the files given, or those that the settings name."""
    root, settings = opened.paths.root, opened.workspace.settings
    if not given and not settings.deployments:
        raise WorkspaceError(
            "neither the command nor the settings name files that are deployed",
            hint="name them: orch deploy deploy/*.yaml; "
            'or write deployments = ["deploy/**/*.yaml"] into the settings',
        )
    named = [root / path for path in find_deployment_paths(root, settings, ())]
    paths = [directory / path for path in given] or named
    whole = (os.path.abspath(path) for path in paths)  # noqa: PTH100 - resolve() follows links
    for absolute in map(Path, dict.fromkeys(whole)):
        is_inside = absolute.is_relative_to(root)
        name = absolute.relative_to(root).as_posix() if is_inside else str(absolute)
        text = read_source(absolute, name)
        yield _File(absolute, text, read_deployment(name, text))


def _replaced(opened: Opened, files: Iterable[DeploymentFile]) -> frozenset[str]:
    """Return what kustomizations replace, those of the workspace that are not given too."""
    sources = Sources(opened.paths.root)
    found = ((path, sources.text(path)) for path in sources.paths(*NAMES))
    others = [read_deployment(path, text) for path, text in found if text]
    return replaced_names([*files, *others])


def _outcomes(
    file: _File, intents: Sequence[Intent], resolved: Mapping[Intent, Pinned | OrchError]
) -> tuple[list[Deployed], Rewritten]:
    """Edit a file's text, and say of each of its images what it is then."""
    pins = {one.use: pin for one in intents if isinstance(pin := resolved.get(one), Pinned)}
    try:
        edited = pin_images(file.read, file.text, pins)
    except ConflictError as error:
        raise WorkspaceError(
            "images share this text and are to differ",
            file=file.read.path,
            line=file.text.count("\n", 0, error.offset) + 1,
            hint="write them out in full instead of sharing an anchor",
        ) from None
    images = [_deployed(intent, resolved.get(intent), edited) for intent in intents]
    return images, Rewritten(file.read.path, file.path, file.text, edited.text)


def _deployed(intent: Intent, found: Pinned | OrchError | None, edited: Edited) -> Deployed:
    before = intent.use.reference
    pinned = found if isinstance(found, Pinned) else None
    error = found if isinstance(found, OrchError) else None
    if intent.meant is Meant.OPEN:
        why = f"{before} is a placeholder that names no image of this workspace"
        error = failure_of(intent, why, "write the image's name at its end: PLACEHOLDER/NAME")
    elif intent.use in edited.broken:
        error = failure_of(intent, f"{before} cannot be edited", "write it out in full")
    if error:
        return Deployed(intent, Fate.FAILED, before, pinned, error)
    if pinned is None:
        return Deployed(intent, Fate.LEFT if intent.meant is Meant.LEAVE else Fate.FOREIGN, before)
    after = edited.references[intent.use]
    return Deployed(intent, Fate.CHANGED if after != before else Fate.UNCHANGED, after, pinned)
