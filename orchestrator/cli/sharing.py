"""`orch wheels push` and `orch wheels pull`."""

from __future__ import annotations

import json
from typing import Any

import click

from orchestrator.app.opened import open_workspace
from orchestrator.app.planning import default_platform
from orchestrator.app.sharing import Shared, Sharing
from orchestrator.cli.options import format_option, selection_of, selection_options
from orchestrator.cli.output import Session, say
from orchestrator.errors import ExitCode
from orchestrator.model import Platform
from orchestrator.report.sharing import moved_document, moved_lines, moved_summary
from orchestrator.wheelhouse.shared_transfer import Status

_platforms = click.option(
    "--platform", "platforms", metavar="OS/ARCH", multiple=True, help="Only for this platform."
)
_dry_run = click.option("--dry-run", is_flag=True, help="Say what would be moved; move nothing.")


@click.command()
@selection_options
@_platforms
@click.option("--only-built", "built_only", is_flag=True, help="Not what indexes have anyway.")
@click.option("--to", metavar="PLACE", default="", help="One of the shared places; default: all.")
@click.option("--force", is_flag=True, help="Also what is there: mends what was altered there.")
@_dry_run
@format_option
@click.pass_obj
def push(session: Session, /, format_: str, **values: Any) -> int:
    """Bring wheels of the lock from this machine to the shared places.

    What is there is not sent again. Wheels that are not on this machine are passed over.

    \b
    Examples:
      orch wheels push                    everything that the lock names
      orch wheels push --only-built       what was built here, nothing that an index has
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.app.sharing import push as push_all  # noqa: PLC0415 - the verb has its name

    opened = open_workspace(session.directory)
    shared = push_all(opened, _sharing(values, opened.workspace.settings.platforms))
    absent = sum(item.status is Status.ABSENT for item in shared.moved)
    if absent:
        session.warn(
            f"{absent} wheels are not on this machine, so they were not pushed: bring them here "
            "with orch wheels (--platform for other platforms), or name the images to push"
        )
    return _show(session, "push", shared, format_, dry_run=values["dry_run"])


@click.command()
@selection_options
@_platforms
@click.option("--offline", is_flag=True, help="Only from shared places that are folders.")
@_dry_run
@format_option
@click.pass_obj
def pull(session: Session, /, format_: str, **values: Any) -> int:
    """Bring wheels of the lock to this machine: from the shared places, then from the indexes.

    Nothing is built. Wheels that are here are checked.

    \b
    Examples:
      orch wheels pull
      orch wheels pull --offline --services
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.app.sharing import pull as pull_all  # noqa: PLC0415 - the verb has its name

    opened = open_workspace(session.directory)
    shared = pull_all(opened, _sharing(values, (default_platform(opened),)))
    for warning in shared.warnings:
        session.warn(warning)
    return _show(session, "pull", shared, format_, dry_run=values["dry_run"])


def _sharing(values: dict[str, Any], default: tuple[Platform, ...]) -> Sharing:
    given = tuple(Platform.parse(text) for text in values.pop("platforms"))
    return Sharing(selection_of(values), given or default, **values)


def _show(session: Session, verb: str, shared: Shared, format_: str, *, dry_run: bool) -> int:
    if format_ == "json":
        document = moved_document(
            verb, shared.moved, shared.warnings, shared.unbuilt, dry_run=dry_run
        )
        click.echo(json.dumps(document, indent=2))
    elif shared.moved:
        for line in moved_lines(shared.moved):
            say(line)
    for name in shared.unbuilt:
        session.warn(f"{name} has no wheel yet: build it with: orch wheels")
    session.note(("would be: " if dry_run else "") + moved_summary(shared.moved))
    failed = any(item.status is Status.FAILED for item in shared.moved)
    return ExitCode.FAILED if failed else ExitCode.DONE
