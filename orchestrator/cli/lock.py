"""`orch lock`: resolve and pin."""

from __future__ import annotations

import click

from orchestrator.app import locking
from orchestrator.cli.output import Session
from orchestrator.errors import ExitCode


@click.command()
@click.argument("packages", nargs=-1, metavar="[PACKAGE]...")
@click.option("--upgrade", is_flag=True, help="Move versions: of the packages named, else of all.")
@click.option("--check", is_flag=True, help="Write nothing; fail if the lock is behind.")
@click.option("--dry-run", is_flag=True, help="Resolve and show what would change; write nothing.")
@click.option("--strict", is_flag=True, help="Fail where an image cannot be locked.")
@click.pass_obj
def lock(
    session: Session,
    packages: tuple[str, ...],
    upgrade: bool,  # noqa: FBT001 - a flag of the command line
    check: bool,  # noqa: FBT001 - a flag of the command line
    dry_run: bool,  # noqa: FBT001 - a flag of the command line
    strict: bool,  # noqa: FBT001 - a flag of the command line
) -> int:
    """Resolve every package of every image and pin it in orch.lock.

    Versions that are locked already stay, as long as they satisfy what is asked for.

    \b
    orch lock                        lock what is new, drop what is gone
    orch lock --upgrade              move everything
    orch lock --upgrade numpy scipy  move these
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    if packages and not upgrade:
        raise click.UsageError("PACKAGE goes with --upgrade")
    if check:
        locking.check_locked(session.directory)
        session.note("orch.lock answers what is asked for")
        return ExitCode.DONE
    written = locking.lock(
        session.directory,
        upgrade=upgrade,
        packages=packages,
        dry_run=dry_run,
        progress=session.note,
    )
    for note in written.notes:
        session.warn(note)
    for change in written.changes:
        click.echo(change)
    session.note(written.summary)
    return ExitCode.MISSING_TOOL if strict and written.unavailable else ExitCode.DONE
