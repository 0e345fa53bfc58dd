"""`orch deploy`: digests of published images go into the files that say what is deployed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.app.digests import ask_registry, read_push_report
from orchestrator.app.opened import Opened
from orchestrator.app.pushing import namespace_of
from orchestrator.app.tag_values import TagValues, templates_of
from orchestrator.checks.sources import Sources
from orchestrator.deployments import DeploymentFile, read_deployment
from orchestrator.deployments.finding import find_deployment_paths
from orchestrator.deployments.intents import Intent, Meant, plan_intents, replaced_names
from orchestrator.deployments.kustomize import NAMES
from orchestrator.deployments.outcomes import Deployed, DeployRun, Fate
from orchestrator.deployments.pinning import ConflictError, Pinned, apply_edits, pin_image
from orchestrator.errors import OrchError, WorkspaceError
from orchestrator.publish.reference import Repository
from orchestrator.rewriting import Rewritten, read_source
from orchestrator.siblings import without_tag


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """Which files, and which images of them: empty `tag` and `registry` mean what files say.

    `pushed` is the report of a push, which is asked instead of the registry.
    """

    files: tuple[Path, ...] = ()
    tag: str = ""
    registry: str = ""
    pushed: Path | None = None


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
    pinned = _resolve(opened, options, intents, run.notes)
    run.images = [_deployed(intent, pinned) for intent in intents]
    for file in files:
        _rewrite(file, run)
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
            "it is not said which files say what is deployed",
            hint='name them, or write deployments = ["deploy/**/*.yaml"] into the settings',
        )
    named = [root / path for path in find_deployment_paths(root, settings, ())]
    paths = [directory / path for path in given] or named
    for absolute in dict.fromkeys(Path(os.path.abspath(path)) for path in paths):  # noqa: PTH100 - resolve() would follow links
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


def _resolve(
    opened: Opened, options: DeployOptions, intents: Iterable[Intent], notes: list[str]
) -> dict[Intent, Pinned | OrchError]:
    wanted = [intent for intent in intents if intent.meant is Meant.PIN]
    if not wanted:
        return {}
    if options.pushed:
        return _resolve_from_report(options.pushed, options.tag, wanted)
    namespace = namespace_of(opened, options.registry)
    values = TagValues(opened.paths.root, datetime.now(UTC), notes)
    tags = {intent: _tag_of(intent, opened, options.tag, values) for intent in wanted}
    asked = dict.fromkeys((intent.image, tag) for intent, tag in tags.items())
    digests = ask_registry(opened, namespace, asked)
    return {
        intent: _pinned(namespace.repository(intent.image), tag, digest)
        if (digest := digests.get((intent.image, tag)))
        else _failure(
            intent,
            f"{namespace.repository(intent.image)}:{tag} is not in the registry",
            f"orch push {intent.image} puts it there; --tag names another tag",
        )
        for intent, tag in tags.items()
    }


def _tag_of(intent: Intent, opened: Opened, given: str, values: TagValues) -> str:
    def fingerprint() -> str:
        raise WorkspaceError(
            "a tag of {fingerprint} is known to orch push only",
            hint="give --tag, or --pushed with the report of the push",
        )

    if intent.tag and not given:
        return intent.tag
    template = given or templates_of(opened.workspace.settings, intent.image)[0]
    return values.expand((template,), fingerprint)[0]


def _resolve_from_report(
    report: Path, tag: str, wanted: Iterable[Intent]
) -> dict[Intent, Pinned | OrchError]:
    images = read_push_report(report)
    found: dict[Intent, Pinned | OrchError] = {}
    for intent in wanted:
        image = images.get(intent.image)
        tags = image.tags if image else ()
        asked = tag or (intent.tag if intent.tag in tags else next(iter(tags), ""))
        if image is None:
            why = f"{report} has no image {intent.image} that was published"
            found[intent] = _failure(intent, why, "push it too, or ask the registry")
        elif asked not in tags:
            why = f"{report} has no tag {asked or 'at all'} of {intent.image}"
            found[intent] = _failure(intent, why, f"it has {', '.join(tags) or 'none'}")
        else:
            found[intent] = _pinned(image.repository, asked, image.digest)
    return found


def _pinned(repository: Repository, tag: str, digest: str) -> Pinned:
    return Pinned(repository.host, repository.name, tag, digest)


def _failure(intent: Intent, message: str, hint: str) -> OrchError:
    return OrchError(message, file=intent.use.file, line=intent.use.span.line, hint=hint)


def _deployed(intent: Intent, resolved: dict[Intent, Pinned | OrchError]) -> Deployed:
    before = intent.use.reference
    if intent.meant is Meant.OPEN:
        why = f"{before} is a placeholder that names no image of this workspace"
        error = _failure(intent, why, "write the image's name at its end: PLACEHOLDER/NAME")
        return Deployed(intent, Fate.FAILED, before, error=error)
    if intent.meant is not Meant.PIN:
        fate = Fate.LEFT if intent.meant is Meant.LEAVE else Fate.FOREIGN
        return Deployed(intent, fate, before)
    found = resolved[intent]
    if isinstance(found, OrchError):
        return Deployed(intent, Fate.FAILED, before, error=found)
    return Deployed(intent, Fate.UNCHANGED, before, found)


def _rewrite(file: _File, run: DeployRun) -> None:
    """Edit a file's text, and note of its images what they are then."""
    mine = [n for n, item in enumerate(run.images) if item.intent.use.file == file.read.path]
    edits = {
        n: list(pin_image(item.intent.use, file.text, item.pinned))
        for n in mine
        if (item := run.images[n]).pinned
    }
    try:
        after = apply_edits(file.text, (edit for found in edits.values() for edit in found))
    except ConflictError as error:
        line = file.text.count("\n", 0, error.offset) + 1
        raise WorkspaceError(
            "images share this text and are to differ",
            file=file.read.path,
            line=line,
            hint="write them out in full instead of sharing an anchor",
        ) from None
    uses = read_deployment(file.read.path, after).uses
    if len(uses) != len(mine):
        raise WorkspaceError("would name other images once edited", file=file.read.path)
    for n, use in zip(mine, uses, strict=True):
        run.images[n] = _checked(run.images[n], use.reference, is_edited=bool(edits.get(n)))
    if after != file.text:
        run.rewritten.append(Rewritten(file.read.path, file.path, file.text, after))


def _checked(item: Deployed, after: str, *, is_edited: bool) -> Deployed:
    """Hold what the edited text says of an image against what it is to be."""
    intent, pinned = item.intent, item.pinned
    if pinned is None and after == intent.use.reference:
        return item
    if pinned is None or (pinned.repository, pinned.digest) != _named(after):
        error = _failure(intent, f"{intent.use.reference} cannot be edited", "write it out in full")
        return Deployed(intent, Fate.FAILED, intent.use.reference, pinned, error)
    fate = Fate.CHANGED if is_edited else Fate.UNCHANGED
    return Deployed(intent, fate, after, pinned)


def _named(reference: str) -> tuple[str, str]:
    tagged, _, digest = reference.partition("@")
    return without_tag(tagged), digest
