"""`orch wheels`: every wheel of the lock, fetched or built; what is kept of them."""

from __future__ import annotations

import click

from orchestrator.cli.sharing import pull, push
from orchestrator.errors import ExitCode


@click.group(invoke_without_command=True)
@click.pass_context
def wheels(context: click.Context) -> int:
    """Fetch every wheel that the lock names, and build those that no index has."""
    if context.invoked_subcommand is None:
        raise click.UsageError("nothing is done by this verb alone yet", context)
    return ExitCode.DONE


wheels.add_command(push)
wheels.add_command(pull)
