"""What verbs share for speaking: errors, notes, and whether a person is looking."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from orchestrator.errors import OrchError


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
            click.echo(message, err=True)

    def progress(self, wanted: str) -> str:
        """Return how progress is shown, where `auto` was asked for too: `live` for a person."""
        if self.quiet:
            return "none"
        if wanted == "auto":
            return "live" if is_terminal() else "plain"
        return wanted

    def warn(self, message: str) -> None:
        """Tell a person of something that may be wrong."""
        click.echo(f"{_styled('warning:', 'yellow')} {message}", err=True)


def print_error(error: OrchError) -> None:
    """Print what went wrong, and the hint, to standard error."""
    click.echo(f"{_styled('error:', 'red')} {error}", err=True)
    if error.hint:
        click.echo(f"{_styled('hint:', 'cyan')} {error.hint}", err=True)


def is_terminal() -> bool:
    """Tell whether a person is looking, and wants colour and bars."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _styled(text: str, color: str) -> str:
    wanted = is_terminal() and not os.environ.get("NO_COLOR")
    return click.style(text, fg=color, bold=True) if wanted else text
