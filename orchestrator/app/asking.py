"""Plans that take into account what a registry has."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace

from orchestrator.app.alone import plan_alone
from orchestrator.app.opened import Opened
from orchestrator.app.planning import Asking, BuildOptions, Deps, Planned, plan
from orchestrator.app.published import Published, find_published, foresee_published
from orchestrator.errors import LockError, OrchError, WorkspaceError


def plan_foreseeing(opened: Opened, options: BuildOptions) -> Planned:
    """Decide what a build would do after it asked the registry; nothing is written.

    Raises:
        OrchError: As `planning.plan`; or the registry does not answer, and the build would not do
            without.
    """
    if options.deps is Deps.REGISTRY:
        made, found = plan_alone(opened, options, foresee_published)
        return replace(made, notes=(*made.notes, *doubts_of(found)))
    planned, notes = _everything(opened, options), list[str]()
    found = _ask(foresee_published, planned, options, notes)
    made = plan(opened, options, found.records)
    return replace(made, notes=(*made.notes, *doubts_of(found), *notes))


def reuse_published(opened: Opened, options: BuildOptions, notes: list[str]) -> Published:
    """Record what a registry has of all that is selected, so that it need not be built.

    It is asked about all platforms, so that an index of several is not replaced by one of fewer.

    Raises:
        OrchError: As for `plan_foreseeing`.
    """
    found = _ask(find_published, _everything(opened, options), options, notes)
    for platform in opened.workspace.settings.platforms:
        if platform != options.platform and not notes:
            with suppress(LockError):  # nothing is published for what is not locked
                other = replace(options, platform=platform)
                _ask(find_published, _everything(opened, other), other, notes)
    notes += doubts_of(found)
    return found


def _everything(opened: Opened, options: BuildOptions) -> Planned:
    """Plan for all that is selected, changed or not: the records may know too much."""
    return plan(opened, replace(options, selection=replace(options.selection, changed=False)))


def _ask(
    find: Callable[..., Published], planned: Planned, options: BuildOptions, notes: list[str]
) -> Published:
    forced: Collection[str] = planned.wanted if options.force else ()
    if options.asking is Asking.SURELY:
        return find(planned, forced)
    try:
        return find(planned, forced, in_passing=True)
    except WorkspaceError:
        raise
    except OrchError as error:
        why = error.in_a_line
        notes.append(f"only the records say what changed, as the registry does not: {why}")
        return Published()


def doubts_of(found: Published) -> list[str]:
    """Return what a person should know of images that are not believed to be what they say."""
    return [
        f"{name} is built: what its content tag names in the registry is something else"
        for name in found.doubtful
    ]
