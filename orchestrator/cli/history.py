"""`orch history`."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from orchestrator.app.recording import past_runs
from orchestrator.cli.options import complete_images, format_option
from orchestrator.cli.output import Session, say
from orchestrator.errors import ExitCode
from orchestrator.history import Kind, Result, Wanted
from orchestrator.report.history import history_document, history_lines, run_lines

_SHOWN = 20
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _moment(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> datetime | None:
    """Read a time, or how long ago it was, such as 7d; without a zone it is UTC."""
    if value is None:
        return None
    try:
        if ago := re.fullmatch(r"(\d{1,6})([mhdw])", value):
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{value!r} is no time such as 2026-01-31, 2026-01-31T12:00 or 7d"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command()
@click.argument("image", default="", shell_complete=complete_images)
@click.option("--since", "after", metavar="TIME", callback=_moment, help="Begun then or later.")
@click.option("--until", "before", metavar="TIME", callback=_moment, help="Begun before then.")
@click.option(
    "--result",
    "results",
    type=click.Choice([result.value for result in Result]),
    multiple=True,
    help="Only runs that came to this; may be given several times.",
)
@click.option(
    "--kind",
    "kinds",
    type=click.Choice([kind.value for kind in Kind]),
    multiple=True,
    help="Only runs of this kind; may be given several times.",
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    help=f"At most so many, the last ones; 0 for all. Default: {_SHOWN}, for --export all.",
)
@click.option("--export", metavar="FILE", help="Write a line of JSON a run; - for standard output.")
@format_option
@click.pass_obj
def history(
    session: Session,
    /,
    image: str,
    after: datetime | None,
    before: datetime | None,
    results: tuple[str, ...],
    kinds: tuple[str, ...],
    limit: int | None,
    export: str | None,
    format_: str,
) -> int:
    """Show past builds, pushes and verifications, the last first.

    \b
    Examples:
      orch history                                  the last runs
      orch history webhook --kind build --result done  those that built something, with webhook
      orch history --since 7d --export runs.jsonl   a week, for other programs
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    shown = 0 if export else _SHOWN
    wanted = Wanted(
        image,
        frozenset(map(Kind, kinds)),
        frozenset(map(Result, results)),
        after,
        before,
        shown if limit is None else limit,
    )
    runs = past_runs(session.directory, wanted)
    if export == "-":
        for line in run_lines(runs):
            say(line)
    elif export:
        from orchestrator.atomic import write_output  # noqa: PLC0415 - only when asked

        write_output(Path(export), "".join(f"{line}\n" for line in run_lines(runs)))
    elif format_ == "json":
        click.echo(json.dumps(history_document(runs), indent=2))
    else:
        lines = list(history_lines(runs, image))
        click.echo("\n".join(lines), nl=bool(lines))
        if not lines:
            session.note("no such run is remembered")
    return ExitCode.DONE
