"""`orch report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.app.opened import open_workspace
from orchestrator.cli.options import OUTPUT_FILE, complete_images
from orchestrator.cli.output import Session, say
from orchestrator.errors import ExitCode
from orchestrator.select import Selection

if TYPE_CHECKING:
    from orchestrator.evidence.facts import Evidence


@click.command()
@click.argument("images", nargs=-1, metavar="[IMAGE]...", shell_complete=complete_images)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "markdown", "json", "html"]),
    default="text",
    help="How it is written; html is one page that needs nothing else.",
)
@click.option(
    "--output",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Write the file instead of printing.",
)
@click.option(
    "--merge",
    is_flag=True,
    help="Join the reports of jobs, files or folders in place of images, into one as JSON.",
)
@click.pass_obj
def report(
    session: Session,
    /,
    images: tuple[str, ...],
    format_: str,
    output: Path | None,
    *,
    merge: bool,
) -> int:
    """Show evidence of the last build: what, why, how long, how big, where, and what is not known.

    \b
    Examples:
      orch report                                    all that the last build looked at
      orch report --format html --output build.html  as a page for a browser
      orch report --format markdown api              one image
      orch report --merge reports/                   of jobs, as of one build; then orch report
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.app.evidencing import evidence_of  # noqa: PLC0415 - slow to import
    from orchestrator.atomic import write_output  # noqa: PLC0415 - likewise

    opened = open_workspace(session.directory)
    if merge:
        from orchestrator.app.merging import merge as merge_reports  # noqa: PLC0415 - only when asked

        text = json.dumps(merge_reports(opened, map(Path, images)), indent=2)
    else:
        text = _written(evidence_of(opened, Selection(names=images)), format_)
    if output is None:
        shown = say if format_ == "text" and not merge else click.echo  # a page as its file has it
        shown(text)
    else:
        write_output(output, text + "\n")
    return ExitCode.DONE


def _written(evidence: Evidence, format_: str) -> str:
    if format_ == "json":
        from orchestrator.report.evidence import evidence_document  # noqa: PLC0415 - only what is asked

        return json.dumps(evidence_document(evidence), indent=2)
    if format_ == "html":
        from orchestrator.report.page.rendering import format_page  # noqa: PLC0415 - likewise

        return format_page(evidence)
    if format_ == "markdown":
        from orchestrator.report.evidence_markdown import evidence_markdown  # noqa: PLC0415 - likewise

        return "\n".join(evidence_markdown(evidence))
    from orchestrator.report.evidence_text import evidence_lines  # noqa: PLC0415 - likewise

    return "\n".join(evidence_lines(evidence))
