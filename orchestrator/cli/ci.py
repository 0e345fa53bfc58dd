"""`orch ci`: the files of pipelines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from orchestrator.app.opened import open_workspace
from orchestrator.cli.output import Session
from orchestrator.errors import ExitCode
from orchestrator.pipelines.facts import Facts

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def ci() -> None:
    """Write the pipelines that check, build, publish and watch the images.

    \b
    Examples:
      orch ci github
      orch ci gitlab --check
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped


def _file_options(command: F) -> F:
    options = [
        click.option("--check", is_flag=True, help="Write nothing; end with 1 if a file differs."),
        click.option("--dry-run", is_flag=True, help="Show the changes as a diff; write nothing."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@ci.command()
@_file_options
@click.pass_obj
def github(session: Session, /, **options: bool) -> int:
    """Write workflows for GitHub: pull requests, the main branch, every night.

    \b
    Examples:
      orch ci github --dry-run    what would be written, as a diff
      orch ci github              .github/workflows/orch-*.yml
      orch ci github --check      for CI: are they what the settings say?
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.pipelines.rendering import github_files  # noqa: PLC0415 - only for this verb

    return _write(session, "github", github_files, **options)


@ci.command()
@_file_options
@click.pass_obj
def gitlab(session: Session, /, **options: bool) -> int:
    """Write a pipeline for GitLab: merge requests, the main branch, schedules.

    \b
    Examples:
      orch ci gitlab --dry-run    what would be written, as a diff
      orch ci gitlab              .gitlab-ci.yml
      orch ci gitlab --check      for CI: is it what the settings say?
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.pipelines.rendering import gitlab_files  # noqa: PLC0415 - only for this verb

    return _write(session, "gitlab", gitlab_files, **options)


def _write(
    session: Session,
    host: str,
    render: Callable[[Facts], Mapping[str, str]],
    *,
    check: bool,
    dry_run: bool,
) -> int:
    from orchestrator.app.pipeline_files import compare_files, write_files  # noqa: PLC0415 - slow

    found = compare_files(open_workspace(session.directory), host, render)
    for note in found.notes:
        session.warn(note)
    if check or dry_run:
        click.echo("".join(file.diff() for file in found.changed), nl=False)
    else:
        write_files(found)
    names = ", ".join(file.name for file in found.changed)
    if check and names:
        session.note(f"not as the settings say: {names}; run: orch ci {host}")
        return ExitCode.FAILED
    verb = "would write" if check or dry_run else "wrote"
    session.note(f"{verb} {names}" if names else "up to date")
    return ExitCode.DONE
