"""`orch check`: rules over the workspace. Builds nothing, asks no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.app.opened import open_workspace
from orchestrator.app.planning import BuildOptions, default_platform, plan
from orchestrator.checks.reading import read_subject
from orchestrator.checks.registry import choose_rules, read_rules
from orchestrator.checks.run import Checked, run_rules
from orchestrator.graph import Graph
from orchestrator.select import Selection
from orchestrator.settings import read_settings


def check(directory: Path, selection: Selection, wanted: Sequence[str] = ()) -> Checked:
    """Run the rules wanted, or all, over the images selected.

    Raises:
        WorkspaceError: The settings are wrong, or an image or a rule is not known.
        RuleError: A rule of an installed package fails.
    """
    rules = choose_rules(read_rules(), wanted)
    choose = _chooser(directory, selection)
    subject = read_subject(read_settings(directory.resolve()), choose)
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    return run_rules(subject, rules, today, frozenset(wanted))


def _chooser(directory: Path, selection: Selection) -> Callable[[Graph], Iterable[str]]:
    """Return what chooses images of a graph; what differs is found out by planning.

    Raises:
        OrchError: What differs cannot be told: a file is broken, or the lock is behind.
    """
    if not (selection.changed or selection.since):
        return selection.choose
    opened = open_workspace(directory)
    wanted = plan(opened, BuildOptions(default_platform(opened), selection)).wanted
    return lambda _: wanted
