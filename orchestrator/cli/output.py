"""What verbs share for speaking: errors, notes, and whether a person is looking."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from orchestrator.errors import OrchError, WorkspaceError
from orchestrator.printable import printable

_HELP: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())  # older clicks print it themselves


@dataclass(frozen=True, slots=True)
class Session:
    """The options before the verb."""

    directory: Path
    verbose: bool = False
    quiet: bool = False
    log_format: str = "auto"

    def note(self, message: str) -> None:
        """Tell a person something that is no data."""
        if not self.quiet:
            tell(message)

    def progress(self, wanted: str) -> str:
        """Return how progress is shown, where `auto` was asked for too: `live` for a person."""
        if self.quiet:
            return "none"
        if wanted == "auto":
            return "live" if is_terminal() else "plain"
        return wanted

    def warn(self, message: str) -> None:
        """Tell a person of something that may be wrong."""
        click.echo(f"{_styled('warning:', 'yellow')} {_one(message)}", err=True)


def say(text: str) -> None:
    """Print data that a person reads; names of files and versions are whatever others chose."""
    click.echo(printable(text))


def tell(text: str) -> None:
    """Print what is no data."""
    click.echo(printable(text), err=True)


def print_error(error: OrchError) -> None:
    """Print what went wrong, and the hint, to standard error."""
    click.echo(f"{_styled('error:', 'red')} {_one(str(error))}", err=True)
    if error.hint:
        click.echo(f"{_styled('hint:', 'cyan')} {_one(error.hint)}", err=True)


def print_usage_error(error: click.ClickException) -> None:
    """Print what is wrong with the command's words, in the form of every other error."""
    if isinstance(error, _HELP):
        error.show()
        return
    message = error.format_message().removesuffix(".").replace(". (", " (")
    if message[1:2].islower():
        message = message[:1].lower() + message[1:]
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "orch"
    print_error(WorkspaceError(message, hint=f"see {command} --help"))


def is_terminal() -> bool:
    """Tell whether a person is looking, and wants colour and bars."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _one(text: str) -> str:
    """Return text whose further lines are indented: none of them can pass for another message."""
    return printable(text).replace("\n", "\n  ")


def _styled(text: str, color: str) -> str:
    wanted = is_terminal() and not os.environ.get("NO_COLOR")
    return click.style(text, fg=color, bold=True) if wanted else text
