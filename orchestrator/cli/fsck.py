"""`orch fsck`."""

from __future__ import annotations

import json

import click

from orchestrator.cli.options import format_option
from orchestrator.cli.output import Session, say
from orchestrator.errors import ExitCode


@click.command()
@click.option("--repair", "mends", is_flag=True, help="Drop what is bad; the next build heals.")
@format_option
@click.pass_obj
def fsck(session: Session, mends: bool, format_: str) -> int:  # noqa: FBT001 - a flag
    """Check that what is kept on this machine is what it should be.

    Every layer, download and image is read: in the workspace's layout and in the cache. Builds
    may go on meanwhile.

    \b
    Examples:
      orch fsck
      orch fsck --repair
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.app.fsck import check_kept, places_of, repair  # noqa: PLC0415 - slow
    from orchestrator.report.fsck import (  # noqa: PLC0415 - likewise
        LiveCheck,
        PlainCheck,
        SilentCheck,
        fsck_document,
        fsck_lines,
    )

    paths = places_of(session.directory)
    shown = {"live": LiveCheck, "none": SilentCheck}.get(session.progress("auto"))
    with shown() if shown else PlainCheck(session.note) as observer:
        checked = check_kept(paths, observer)
    left = repair(paths, checked.findings) if mends else None
    if format_ == "json":
        click.echo(json.dumps(fsck_document(checked, left), indent=2))
    elif checked.findings:
        say("\n".join(fsck_lines(checked)))
    for finding, why in (left or {}).items():
        session.warn(f"{finding.path} stays: {why}")
    count = len(checked.findings)
    if not count:
        session.note("nothing is wrong")
    elif left is None:
        session.note(f"wrong: {count}; orch fsck --repair drops that, orch build makes it anew")
    else:
        session.note(f"dropped: {count - len(left)} of {count}; orch build makes it anew")
    bad = checked.findings if left is None else left
    return ExitCode.FAILED if bad else ExitCode.DONE
