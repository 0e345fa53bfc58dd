"""`orch plan`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import click

from orchestrator.app.opened import Opened, open_workspace
from orchestrator.app.planning import Asking, BuildOptions, Deps, Planned, default_platform
from orchestrator.app.planning import plan as make_plan
from orchestrator.cli.options import platform_option, selection_of, selection_options
from orchestrator.cli.output import Session, say
from orchestrator.errors import BaseMovedError, ExitCode, MissingToolError
from orchestrator.model import Platform
from orchestrator.report.documents import plan_document
from orchestrator.report.text import plan_lines
from orchestrator.select import Selection
from orchestrator.settings.ci import MOST_JOBS

_MOST_NEEDS = {"github": MOST_JOBS, "gitlab": 49}
"""How many jobs a job may wait for; of GitLab's 50 one is that which planned."""

_SPREADING = {"github": "github_matrix", "gitlab": "gitlab"}


@click.command()
@selection_options
@platform_option
@click.option("--force", is_flag=True, help="As if the selected images had to be built.")
@click.option(
    "--check-bases",
    is_flag=True,
    help="Instead of the plan: have external images moved upstream? Ends with 1 if so.",
)
@click.option(
    "--github-matrix",
    is_flag=True,
    help="What is to be built, spread over jobs: a strategy.matrix for each tier, as JSON.",
)
@click.option(
    "--gitlab",
    is_flag=True,
    help="What is to be built, spread over jobs: a child pipeline.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, MOST_JOBS),
    help="With these: jobs of a tier at most; default: as [ci] says.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    help="How the plan is printed.",
)
@click.pass_obj
def plan(session: Session, /, format_: str, **values: Any) -> int:
    """Show what a build would do, and why; write nothing.

    \b
    Examples:
      orch plan                                   all images, as a tree
      orch plan --since origin/main --format markdown
                                                  what a branch changes, for a pull request
      orch plan --changed --github-matrix         what the registry lacks, for a workflow
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    opened = open_workspace(session.directory, to_plan=True)
    if values["check_bases"]:
        return _check_bases(session, opened, selection_of(values), format_)
    hosts = [host for host, option in _SPREADING.items() if values[option]]
    if len(hosts) > 1 or (values["jobs"] and not hosts):
        raise click.UsageError("--jobs goes with --github-matrix or with --gitlab")
    if hosts:
        return _spread(session, opened, values, *hosts)
    return show_plan(session, opened, build_options(opened, values), format_)


def _spread(session: Session, opened: Opened, values: dict[str, Any], host: str) -> int:
    from orchestrator.app.spreading import spread_plan  # noqa: PLC0415 - only when asked
    from orchestrator.pipelines.batches import Bounds  # noqa: PLC0415 - likewise

    settings = opened.workspace.settings
    jobs, notes = values["jobs"] or settings.ci.jobs, list[str]()
    options = build_options(opened, values)
    platforms = [options.platform] if values["platform"] else settings.platforms
    batches = spread_plan(
        opened,
        [replace(options, platform=platform) for platform in platforms],
        Bounds(jobs, MOST_JOBS, _MOST_NEEDS[host]),
        notes,
    )
    for note in notes:
        session.warn(note)
    if host == "github":
        from orchestrator.report.matrix import matrix_document  # noqa: PLC0415 - as above

        click.echo(json.dumps(matrix_document(batches), separators=(",", ":")))
    else:
        from orchestrator.app.pipeline_files import facts_of  # noqa: PLC0415 - as above
        from orchestrator.pipelines.rendering import gitlab_child  # noqa: PLC0415 - as above

        click.echo(gitlab_child(facts_of(opened, host), batches), nl=False)
    return ExitCode.DONE


def _check_bases(session: Session, opened: Opened, selection: Selection, format_: str) -> int:
    from orchestrator.app.bases import check_bases  # noqa: PLC0415 - only when asked
    from orchestrator.report.bases import bases_document, bases_lines  # noqa: PLC0415 - likewise
    from orchestrator.resolve.pinning import BaseStatus  # noqa: PLC0415 - likewise

    bases = check_bases(opened, selection)
    if format_ == "json":
        click.echo(json.dumps(bases_document(bases), indent=2))
    else:
        for line in bases_lines(bases):
            say(line)
    by_status = {
        status: [base.external.reference for base in bases if base.status is status]
        for status in BaseStatus
    }
    if moved := [*by_status[BaseStatus.MOVED], *by_status[BaseStatus.GONE]]:
        raise BaseMovedError(
            f"upstream is not what orch.lock pins: {', '.join(moved)}",
            hint="run: orch lock --upgrade-bases",
        )
    if unknown := by_status[BaseStatus.UNKNOWN]:
        raise MissingToolError(
            f"it is not known whether these moved: {', '.join(unknown)}",
            hint="above is what each registry said; try again when it answers",
        )
    if unpinned := by_status[BaseStatus.UNPINNED]:
        session.warn(f"not pinned, so they may move unseen: {', '.join(unpinned)}; run: orch lock")
    else:
        session.note("external images are upstream as orch.lock pins them")
    return ExitCode.DONE


def build_options(opened: Opened, values: dict[str, Any]) -> BuildOptions:
    """Read what `orch build` and `orch plan` were asked for.

    Raises:
        click.UsageError: Options contradict each other.
        OrchError: The platform is none.
    """
    given, asking = values.get("platform"), _asking(opened, values)
    deps = Deps(values.get("deps", Deps.BUILD.value))
    _check_apart(values, deps)
    return BuildOptions(
        platform=Platform.parse(given) if given else default_platform(opened),
        selection=selection_of(values),
        jobs=values.get("jobs") or 0,
        fail_fast=values.get("fail_fast", False),
        force=values.get("force", False),
        offline=values.get("offline", False),
        relock_missing=values.get("relock_missing", False),
        retries=values.get("retries", 0),
        builders=values.get("builders", ()),
        asking=asking,
        deps=deps,
        cluster=values.get("cluster") or "",
    )


def _check_apart(values: dict[str, Any], deps: Deps) -> None:
    """Refuse what jobs cannot do, each of which sees the registry and its own machine alone.

    Raises:
        click.UsageError: It was asked for.
    """
    is_job, cluster = deps is Deps.REGISTRY, values.get("cluster")
    if cluster and is_job:
        raise click.UsageError("--cluster goes without --deps=registry: its jobs do that")
    if (cluster or is_job) and (values["offline"] or values["relock_missing"]):
        given = "--cluster" if cluster else "--deps=registry"
        raise click.UsageError(f"{given} goes without --offline and --relock-missing")


def _asking(opened: Opened, values: dict[str, Any]) -> Asking:
    """Return whether a registry decides too what is to be built; what is pushed goes there."""
    is_job = values.get("deps") == Deps.REGISTRY.value
    if values.get("push") or values.get("cluster") or is_job:
        return Asking.SURELY
    has_registry = bool(opened.workspace.settings.registry)
    asks = has_registry and values["changed"] and not values.get("offline")
    return Asking.IN_PASSING if asks else Asking.NOT


def show_plan(session: Session, opened: Opened, options: BuildOptions, format_: str) -> int:
    """Print a plan; return the exit code.

    Raises:
        OrchError: There can be none; see `planning.plan`.
    """
    planned = _planned(opened, options)
    for note in planned.notes:
        session.warn(note)
    for detail in planned.details if session.verbose else ():
        session.note(detail)
    if format_ == "json":
        click.echo(json.dumps(plan_document(planned.plan), indent=2))
    elif format_ == "markdown":
        from orchestrator.report.plan_markdown import plan_markdown  # noqa: PLC0415 - rarely asked

        say("\n".join(plan_markdown(planned.plan)))
    else:
        say("\n".join(plan_lines(opened.graph, planned.plan)))
    return ExitCode.DONE


def _planned(opened: Opened, options: BuildOptions) -> Planned:
    if options.asking is Asking.NOT:
        return make_plan(opened, options)
    from orchestrator.app.asking import plan_foreseeing  # noqa: PLC0415 - slow to import

    return plan_foreseeing(opened, options)
