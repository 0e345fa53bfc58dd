"""`orch lock`: resolve and pin; check, explain and compare what is pinned."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import click

from orchestrator.app import lock_check, lock_explain, lock_outdated, locking
from orchestrator.cli.options import format_option
from orchestrator.cli.output import Session, say
from orchestrator.errors import ExitCode, LockBehindError
from orchestrator.report import locks

_READING = ("check", "outdated", "explain")
_WRITING = ("upgrade", "upgrade_package", "upgrade_bases", "dry_run", "strict")


@click.command()
@click.argument("packages", nargs=-1, metavar="[PACKAGE]...")
@click.option("--upgrade", is_flag=True, help="Move versions: of the packages named, else of all.")
@click.option(
    "--upgrade-package",
    multiple=True,
    metavar="NAME[==VERSION]",
    help="Move this package and what must move with it; may be given several times.",
)
@click.option(
    "--upgrade-bases", is_flag=True, help="Pin external images to what their tags name now."
)
@click.option("--check", is_flag=True, help="Write nothing; fail if the lock is behind.")
@click.option("--outdated", is_flag=True, help="Write nothing; list what is newer elsewhere.")
@click.option("--explain", metavar="PACKAGE", help="Say which images hold it, and through whom.")
@click.option("--dry-run", is_flag=True, help="Resolve and show what would change; write nothing.")
@click.option("--strict", is_flag=True, help="Fail where an image cannot be locked.")
@format_option
@click.pass_obj
def lock(session: Session, /, format_: str, **options: Any) -> int:
    """Resolve every package of every image and pin it in orch.lock.

    Versions that are locked already stay, as long as they satisfy what is asked for.

    \b
    Examples:
      orch lock                             lock what is new, drop what is gone
      orch lock --upgrade                   move everything
      orch lock --upgrade numpy scipy       move these
      orch lock --upgrade-package numpy==2  move this, to that version
      orch lock --upgrade-bases             move the pins of external images
      orch lock --check                     does the lock match? for CI, without network
      orch lock --outdated                  what is newer, and what holds it back?
      orch lock --explain numpy             who brings it?
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    _refuse_mixtures(options)
    as_json = format_ == "json"
    if options["check"]:
        return _check(session, as_json=as_json)
    if options["outdated"]:
        return _outdated(session, as_json=as_json)
    if options["explain"] is not None:
        return _explain(session, options["explain"], as_json=as_json)
    written = locking.lock(
        session.directory,
        upgrade=options["upgrade"],
        upgrade_bases=options["upgrade_bases"],
        packages=(*options["packages"], *options["upgrade_package"]),
        dry_run=options["dry_run"],
        progress=session.note,
    )
    for note in written.notes:
        session.warn(note)
    lines = map(str, (*written.moves, *written.base_moves))
    document = locks.lock_document(written.moves, written.base_moves)
    _print(lines, document, as_json=as_json)
    session.note(written.summary)
    if written.unknown:
        raise written.unknown
    strictly = options["strict"] and written.unavailable
    return ExitCode.MISSING_TOOL if strictly else ExitCode.DONE


def _refuse_mixtures(options: Mapping[str, Any]) -> None:
    """Refuse options that mean nothing together.

    Raises:
        click.UsageError: There are such.
    """
    given = [name for name, value in options.items() if value not in {False, None, ()}]
    shown = {name: f"--{name.replace('_', '-')}" for name in given}
    reading = [shown[name] for name in _READING if name in given]
    writing = [shown[name] for name in _WRITING if name in given]
    if len(reading) > 1 or (reading and writing):
        raise click.UsageError(f"{' and '.join((*reading, *writing))} do not go together")
    if "packages" in given and "upgrade" not in given:
        raise click.UsageError("PACKAGE goes with --upgrade")
    if "upgrade" in given and "upgrade_package" in given and "packages" not in given:
        raise click.UsageError("--upgrade moves everything: leave it or --upgrade-package out")


def _check(session: Session, *, as_json: bool) -> int:
    found = lock_check.check_lock_file(session.directory)
    _print(map(str, found), locks.check_document(found), as_json=as_json)
    if found:
        images = ", ".join(dict.fromkeys(item.image for item in found if item.image))
        raise LockBehindError(
            f"orch.lock is behind what is asked for{' by: ' if images else ''}{images}",
            hint="run: orch lock",
        )
    session.note("orch.lock answers what is asked for")
    return ExitCode.DONE


def _outdated(session: Session, *, as_json: bool) -> int:
    rows = lock_outdated.outdated(session.directory, session.note)
    _print(locks.outdated_lines(rows), locks.outdated_document(rows), as_json=as_json)
    if not rows:
        session.note("nothing newer is offered")
    return ExitCode.DONE


def _explain(session: Session, package: str, *, as_json: bool) -> int:
    explained, notes = lock_explain.explain(session.directory, package)
    for note in notes:
        session.warn(note)
    _print(locks.explain_lines(explained), locks.explain_document(explained), as_json=as_json)
    return ExitCode.DONE


def _print(lines: Iterable[str], document: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    for line in lines:
        say(line)
