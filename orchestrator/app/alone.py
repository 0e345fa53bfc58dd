"""`orch build --deps=registry`: images by themselves, on their parents as the registry has them.

What comes of it does not depend on what this machine has built before, so that any machine can do
any part of a graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from orchestrator.app.opened import Opened
from orchestrator.app.planning import BuildOptions, Planned, plan
from orchestrator.app.published import Published, find_published
from orchestrator.app.pushing import namespace_of
from orchestrator.app.remote import RemoteLayers
from orchestrator.errors import LockError, WorkspaceError
from orchestrator.plan import Action, Plan


def plan_alone(
    opened: Opened, options: BuildOptions, find: Callable[..., Published] = find_published
) -> tuple[Planned, Published]:
    """Ask the registry, and plan the selected images and what these stand on; nothing above that.

    What the registry has goes before what was built here. `find` may be `foresee_published`:
    nothing is written then.

    Raises:
        WorkspaceError: The registry lacks an image that one to be built stands on.
        LockError: The lock is missing, behind, or lacks wheels that are to be built.
        RegistryError: The registry does not answer.
    """
    asked = replace(options, selection=replace(options.selection, changed=False))
    planned = plan(opened, asked)
    forced = planned.wanted if options.force else ()
    found = find(planned, forced, anew=True)
    if find is find_published:
        keep_other_platforms(opened, asked)
    layout = RemoteLayers(opened).layout
    records = {
        name: record
        for name, record in found.records.items()
        if record.present or not layout.has_image(record.digest)
    }
    made = plan(opened, options, records)
    check_wheels(made)
    return _without_the_rest(made, found.reused), found


def keep_other_platforms(opened: Opened, options: BuildOptions) -> None:
    """Record what the registry has for other platforms: an index of several is not cut short."""
    for platform in opened.workspace.settings.platforms:
        if platform != options.platform:
            with suppress(LockError):  # nothing is published for what is not locked
                find_published(plan(opened, replace(options, platform=platform)), anew=True)


def _without_the_rest(planned: Planned, published: Iterable[str]) -> Planned:
    """Return the plan of the selected images and of the parents that these are put on.

    Raises:
        WorkspaceError: The registry lacks one of these parents.
    """
    steps, parents = planned.plan.steps, planned.opened.graph.parents
    stale = [name for name in planned.wanted if steps[name].action is not Action.REUSE]
    there = {*published, *planned.wanted}
    lacking = {parent: name for name in stale for parent in parents[name] if parent not in there}
    if lacking:
        raise _missing(planned.opened, lacking)
    used = {*planned.wanted, *(parent for name in stale for parent in parents[name])}
    return replace(planned, plan=Plan({name: steps[name] for name in steps if name in used}))


def _missing(opened: Opened, lacking: dict[str, str]) -> WorkspaceError:
    shown = ", ".join(f"{parent} (below {name})" for parent, name in lacking.items())
    return WorkspaceError(
        f"{namespace_of(opened)} does not have, as the workspace has it now: {shown}",
        hint=f"first run: orch build {' '.join(lacking)} --deps=registry",
    )


def check_wheels(planned: Planned) -> None:
    """Refuse to have jobs build wheels: a job's lock, with their digests, nobody else sees.

    Raises:
        LockError: The lock lacks a wheel that is to be built.
    """
    for step in planned.plan.to_build:
        adds = planned.lock.images.get((step.image.name, step.platform))
        for wheel in adds.wheels if adds and step.image.name in planned.wanted else ():
            if not wheel.is_wheel:
                raise LockError(
                    f"{step.image.name} wants {wheel.name}, which is not built yet",
                    hint="run: orch wheels; and commit orch.lock, which says then what was built",
                )
