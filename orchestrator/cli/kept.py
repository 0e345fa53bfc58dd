"""`orch wheels list`, `gc` and `why`."""

from __future__ import annotations

import json
from typing import Any

import click
from packaging.utils import canonicalize_name

from orchestrator.app.opened import open_workspace
from orchestrator.cli.options import format_option, parse_age, parse_size
from orchestrator.cli.output import Session, say
from orchestrator.errors import ExitCode


@click.command("list")
@click.option("--verify", is_flag=True, help="Check every byte; throw away what is damaged.")
@format_option
@click.pass_obj
def list_(session: Session, verify: bool, format_: str) -> int:  # noqa: FBT001 - a flag
    """Show the wheels and sdists that are kept on this machine, for all workspaces.

    \b
    Examples:
      orch wheels list
      orch wheels list --verify
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.app.keeping import list_kept  # noqa: PLC0415 - slow to import
    from orchestrator.report.kept import (  # noqa: PLC0415 - likewise
        kept_document,
        kept_lines,
        kept_summary,
    )

    kept, damaged = list_kept(open_workspace(session.directory), verify=verify)
    if format_ == "json":
        document = {
            "schema": "orch.wheels-list/1",
            "wheels": [kept_document(item) for item in kept],
            "damaged": [kept_document(item) for item in damaged],
        }
        click.echo(json.dumps(document, indent=2))
    elif kept:
        say("\n".join(kept_lines(kept)))
    for item in damaged:
        session.warn(f"{item.file} was damaged; thrown away")
    session.note(kept_summary(kept))
    return ExitCode.FAILED if damaged else ExitCode.DONE


@click.command()
@click.option(
    "--older-than", callback=parse_age, metavar="AGE", help="What nobody read since: 30d."
)
@click.option(
    "--max-size",
    callback=parse_size,
    metavar="SIZE",
    help="The oldest, until no more is left: 5GB.",
)
@click.option("--unlocked", is_flag=True, help="All that this workspace's lock does not reach.")
@click.option("--even-locked", is_flag=True, help="What the lock reaches may go too.")
@click.option("--dry-run", is_flag=True, help="Say what would go; remove nothing.")
@format_option
@click.pass_obj
def gc(session: Session, /, format_: str, **values: Any) -> int:
    """Remove wheels and sdists from this machine; what the lock reaches stays.

    \b
    Examples:
      orch wheels gc --older-than 30d          what nobody used for a month
      orch wheels gc --max-size 5GB            the oldest, until 5 GB are left
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.app.keeping import Unwanted, collect_unwanted  # noqa: PLC0415 - slow
    from orchestrator.report.kept import kept_document, kept_summary  # noqa: PLC0415 - likewise

    unwanted = Unwanted(
        values["older_than"],
        values["max_size"],
        values["unlocked"],
        values["even_locked"],
        values["dry_run"],
    )
    gone, left = collect_unwanted(open_workspace(session.directory), unwanted)
    if format_ == "json":
        document = {
            "schema": "orch.wheels-gc/1",
            "dry_run": unwanted.dry_run,
            "removed": [kept_document(item) for item in gone],
            "left_bytes": sum(item.size_bytes for item in left),
        }
        click.echo(json.dumps(document, indent=2))
    else:
        for item in gone:
            say(item.file)
    verb = "would be removed" if unwanted.dry_run else "removed"
    session.note(f"{verb}: {kept_summary(gone)}; left: {kept_summary(left)}")
    return ExitCode.DONE


@click.command()
@click.argument("name")
@format_option
@click.pass_obj
def why(session: Session, name: str, format_: str) -> int:
    """Say which images hold the wheel of NAME, how it is made, and where it lies.

    \b
    Examples:
      orch wheels why numpy
      orch wheels why webrtcvad --format json
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.app.keeping import explain_wheel  # noqa: PLC0415 - slow to import
    from orchestrator.report.kept import why_document, why_lines  # noqa: PLC0415 - likewise

    found = explain_wheel(open_workspace(session.directory), str(canonicalize_name(name)))
    if format_ == "json":
        document = {"schema": "orch.wheels-why/1", "wheels": [why_document(item) for item in found]}
        click.echo(json.dumps(document, indent=2))
    else:
        for item in found:
            say("\n".join(why_lines(item)))
    return ExitCode.DONE
