"""`orch bake`: a file for `docker buildx bake`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from orchestrator.app.baking import bake as make_bake_file
from orchestrator.app.opened import open_workspace
from orchestrator.atomic import write_output
from orchestrator.cli.options import OUTPUT_FILE, selection_of, selection_options
from orchestrator.cli.output import Session
from orchestrator.errors import ExitCode


@click.command()
@selection_options
@click.option(
    "--output",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Write the file instead of printing it.",
)
@click.pass_obj
def bake(session: Session, /, output: Path | None, **values: Any) -> int:
    """Print the Dockerfile images as a file for docker buildx bake.

    \b
    Examples:
      orch bake --output docker-bake.json && docker buildx bake
      orch bake api | docker buildx bake --print -f -
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    opened = open_workspace(session.directory)
    baked = make_bake_file(opened, selection_of(values), datetime.now(UTC))
    for warning in baked.warnings:
        session.warn(warning)
    text = json.dumps(baked.document, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        write_output(output, text)
        session.note(f"wrote {output}; run in {opened.workspace.root}: docker buildx bake")
    return ExitCode.DONE
