"""`orch new`: another base or service."""

from __future__ import annotations

import json
from typing import Any

import click

from orchestrator.app.adding import Addition, Wanted, plan_addition, write_addition
from orchestrator.app.opened import open_workspace
from orchestrator.cli.options import format_option
from orchestrator.cli.output import Session
from orchestrator.errors import ExitCode
from orchestrator.model import ImageKind
from orchestrator.rewriting import unified_diff


@click.group()
def new() -> None:
    """Add a base or a service, in a folder of its own.

    \b
    Examples:
      orch new base python-data --from python-base
      orch new service billing --from python-web
      orch new service refunds --like billing
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped


_dry_run_option = click.option("--dry-run", is_flag=True, help="Show the files and write nothing.")


@new.command()
@click.argument("name")
@click.option(
    "--from",
    "parent",
    required=True,
    metavar="BASE",
    help="What it stands on: a base, debian:SUITE or an external image.",
)
@_dry_run_option
@format_option
@click.pass_obj
def base(session: Session, /, name: str, parent: str, **values: Any) -> int:
    """Add a base image: a recipe, and requirements that its services share.

    \b
    Examples:
      orch new base python-data --from python-base
      orch new base cuda --from nvidia/cuda:12.4.1-runtime-ubuntu22.04
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    return _add(session, Wanted(ImageKind.BASE, name, parent), **values)


@new.command()
@click.argument("name")
@click.option("--from", "parent", default="", metavar="BASE", help="The base that it stands on.")
@click.option(
    "--like",
    default="",
    metavar="SERVICE",
    help="Copy this service's files, instead of writing a small program.",
)
@_dry_run_option
@format_option
@click.pass_obj
def service(session: Session, /, name: str, parent: str, like: str, **values: Any) -> int:
    """Add a service: a recipe, a program that answers /health, and its test.

    With --like it is a copy of another service, under its own name; without --from it stands on
    what that one stands on.

    \b
    Examples:
      orch new service billing --from python-web
      orch new service refunds --like billing --dry-run
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    if not parent and not like:
        raise click.UsageError("say what it stands on: --from BASE, or --like SERVICE")
    return _add(session, Wanted(ImageKind.SERVICE, name, parent, like), **values)


def _add(session: Session, wanted: Wanted, *, dry_run: bool, format_: str) -> int:
    opened = open_workspace(session.directory)
    addition = plan_addition(opened, wanted)
    if not dry_run:
        write_addition(opened, addition)
    if format_ == "json":
        click.echo(json.dumps(addition_document(addition, written=not dry_run), indent=2))
    elif dry_run:
        for file in addition.files:
            click.echo(unified_diff(file.path, "", file.text), nl=False)
    else:
        for file in addition.files:
            click.echo(file.path)
    for note in addition.notes:
        session.warn(note)
    if not dry_run:
        session.note(f"next: orch lock, then orch build {wanted.name}")
    return ExitCode.DONE


def addition_document(addition: Addition, *, written: bool) -> dict[str, Any]:
    """Return a new image, `orch.new/1`."""
    return {
        "schema": "orch.new/1",
        "name": addition.wanted.name,
        "kind": addition.wanted.kind.value,
        "from": addition.parent,
        "written": written,
        "files": [{"path": file.path, "text": file.text} for file in addition.files],
        "notes": list(addition.notes),
    }
