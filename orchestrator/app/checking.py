"""`orch check`: rules over the workspace. Builds nothing, asks no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.app.opened import open_workspace
from orchestrator.app.planning import BuildOptions, default_platform, plan
from orchestrator.checks.fixing import Fixed, plan_fixes, write_fixes
from orchestrator.checks.reading import read_subject
from orchestrator.checks.registry import choose_rules, read_rules
from orchestrator.checks.run import Checked, run_rules
from orchestrator.graph import Graph
from orchestrator.select import Selection
from orchestrator.settings import find_settings, read_settings

_MOST_ROUNDS = 10
"""How often files are checked again after fixes: taking one line out may show the next."""


def root_of(directory: Path) -> Path:
    """Return the root of the workspace that a folder belongs to.

    Raises:
        WorkspaceError: It belongs to none.
    """
    return find_settings(directory.resolve())[0].parent


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


def fixes(directory: Path, checked: Checked) -> tuple[Fixed, ...]:
    """Return what would put right what can be; nothing is written.

    Raises:
        WorkspaceError: A file is a link or lies outside the workspace.
    """
    return plan_fixes(root_of(directory), checked.findings)


def fix(
    directory: Path, selection: Selection, wanted: Sequence[str] = ()
) -> tuple[Checked, tuple[Fixed, ...]]:
    """Put right what can be, and return what is left to find, and the files written.

    Raises:
        WorkspaceError: As for `check` and `fixes`.
        OrchError: A file cannot be written.
    """
    written: list[Fixed] = []
    checked = check(directory, selection, wanted)
    for _ in range(_MOST_ROUNDS):
        found = fixes(directory, checked)
        if not found:
            break
        write_fixes(root_of(directory), found)
        written += found
        checked = check(directory, selection, wanted)
    return checked, tuple(written)


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
