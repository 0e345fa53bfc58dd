"""`orch ci`: the files of a host of CI, compared with what is there, and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.app.opened import Opened
from orchestrator.atomic import write_text
from orchestrator.errors import WorkspaceError
from orchestrator.git import top_folder
from orchestrator.model import Settings
from orchestrator.pipelines.facts import Facts, Login
from orchestrator.publish.ecr.address import EcrAddress, address_of
from orchestrator.publish.reference import Namespace
from orchestrator.rewriting import Rewritten, read_source

_MARK = "# Written by `orch ci "
_OWN_HOSTS = {"github": "ghcr.io", "gitlab": "registry.gitlab.com"}
_NEEDS_HISTORY = "{version}"


@dataclass(frozen=True, slots=True)
class PipelineFiles:
    """The files of a host as they are and as they should be; `notes` are for a person."""

    files: tuple[Rewritten, ...]
    notes: tuple[str, ...]

    @property
    def changed(self) -> tuple[Rewritten, ...]:
        """Return the files that are not as they should be."""
        return tuple(file for file in self.files if file.before != file.after)


def compare_files(
    opened: Opened, host: str, render: Callable[[Facts], Mapping[str, str]]
) -> PipelineFiles:
    """Compare what `render` says with what is there; `host` is `github` or `gitlab`.

    Raises:
        WorkspaceError: It is not said how a runner gets `orch`, several jobs have no registry to
            share images by, the workspace is not the root of its repository, or a file is there
            that somebody else wrote.
    """
    facts = facts_of(opened, host)
    root = opened.paths.root
    files = tuple(_compare(root, name, text) for name, text in render(facts).items())
    return PipelineFiles(files, tuple(_notes(facts)))


def write_files(files: PipelineFiles) -> None:
    """Write the files that are not as they should be.

    Raises:
        OrchError: The disk is full, or a folder cannot be written to.
    """
    for file in files.changed:
        write_text(file.path, file.after)


def facts_of(opened: Opened, host: str) -> Facts:
    """Return what pipelines of a host depend on.

    Raises:
        WorkspaceError: As for `compare_files`.
    """
    settings, graph, ci = opened.workspace.settings, opened.graph, opened.workspace.settings.ci
    _check(opened, settings)
    registry = Namespace.parse(settings.registry).host if settings.registry else ""
    ecr = address_of(registry, settings.ecr) if registry else None
    tiers = 1 + max(graph.tiers.values(), default=0)
    templates = {*settings.tags, *(t for image in settings.images.values() for t in image.tags)}
    return Facts(
        ci,
        settings.file.name,
        registry,
        _login(settings, host, registry, ecr),
        ecr.region if ecr else "",
        tuple(platform.key for platform in settings.platforms),
        1 if ci.jobs == 1 else tiers,
        0 if any(_NEEDS_HISTORY in template for template in templates) else 1,
        opened.paths.lock.exists(),
        bool(settings.deployments) and bool(registry),
        any(image.build for image in graph.images.values()),
    )


def _check(opened: Opened, settings: Settings) -> None:
    if not settings.ci.install:
        raise WorkspaceError(
            "nothing says how a runner gets orch",
            file=settings.file,
            hint='write under [ci]: install = ["python -m pip install -r requirements-ci.txt"]',
        )
    if settings.ci.jobs > 1 and not settings.registry:
        raise WorkspaceError(
            "jobs on several machines hand images on through a registry, and there is none",
            file=settings.file,
            hint='write registry = "HOST/PREFIX", or take jobs out of [ci]',
        )
    top = top_folder(opened.paths.root)
    if top is not None and top != opened.paths.root.resolve():
        raise WorkspaceError(
            f"pipelines are written for a workspace at the root of its repository, {top}",
            hint=f"move {settings.file.name} there, with globs that lead here",
        )


def _login(settings: Settings, host: str, registry: str, ecr: EcrAddress | None) -> Login:
    if settings.ci.login:
        return Login.SECRETS
    if ecr is not None:
        return Login.AWS
    return Login.HOST if registry == _OWN_HOSTS[host] else Login.NONE


def _notes(facts: Facts) -> list[str]:
    notes = []
    if facts.login is Login.AWS and not facts.ci.push_role:
        notes.append(f"push-role under [ci] is empty: runners need credentials for {facts.host}")
    if facts.login is Login.NONE and facts.publishes:
        notes.append(f"login under [ci] is empty: {facts.host} is pushed to without a login")
    return notes


def _compare(root: Path, name: str, text: str) -> Rewritten:
    path = root / name
    before = read_source(path, name) if path.exists() or path.is_symlink() else ""
    if before and not before.startswith(_MARK):
        raise WorkspaceError(
            "is there already, and orch did not write it",
            file=name,
            hint="move it out of the way; or see gitlab-file under [ci]",
        )
    return Rewritten(name, path, before, text)
