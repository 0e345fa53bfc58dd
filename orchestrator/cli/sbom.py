"""`orch sbom`."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.app.opened import open_workspace
from orchestrator.atomic import write_output
from orchestrator.cli.options import OUTPUT_FILE, complete_images
from orchestrator.cli.output import Session
from orchestrator.errors import ExitCode
from orchestrator.model import Platform


@click.command()
@click.argument("image", shell_complete=complete_images)
@click.option("--platform", metavar="OS/ARCH", help="Of several it was built for, this one.")
@click.option(
    "--output",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Write the document instead of printing it.",
)
@click.pass_obj
def sbom(session: Session, /, image: str, platform: str | None, output: Path | None) -> int:
    """Print what an image consists of, as CycloneDX.

    \b
    Examples:
      orch sbom api --output api.cdx.json
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from orchestrator.app.told import sbom_of  # noqa: PLC0415 - slow to import

    opened = open_workspace(session.directory)
    text = sbom_of(opened, image, Platform.parse(platform) if platform else None).decode()
    if output is None:
        click.echo(text)
    else:
        write_output(output, text + "\n")
        session.note(f"wrote {output}")
    return ExitCode.DONE
