"""`orch completion`: what the Tab key offers in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from orchestrator.errors import ExitCode

_VARIABLE = "_ORCH_COMPLETE"
"""By this variable click is asked what fits; it follows from the program's name."""

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print what lets SHELL complete verbs, options and the names of images.

    \b
    Examples:
      orch completion bash > ~/.local/share/bash-completion/completions/orch
      orch completion zsh > ~/.zfunc/_orch        with fpath+=~/.zfunc before compinit
      orch completion fish > ~/.config/fish/completions/orch.fish
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    kind = get_completion_class(shell)
    assert kind is not None, "click knows each of SHELLS"  # noqa: S101
    click.echo(kind(context.find_root().command, {}, "orch", _VARIABLE).source())
    return ExitCode.DONE
