"""The pages that people read, and the verbs that they are about."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli import orch

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / "base/README.md", ROOT / "services/README.md"),
    *sorted((ROOT / "docs").rglob("*.md")),
]


def verbs() -> dict[str, click.Command]:
    context = click.Context(orch)
    assert isinstance(orch, click.Group)
    commands = {name: orch.get_command(context, name) for name in orch.list_commands(context)}
    found = {name: command for name, command in commands.items() if command is not None}
    for name, command in list(found.items()):
        if isinstance(command, click.Group):
            found |= {f"{name} {inner}": item for inner, item in command.commands.items()}
    return found
