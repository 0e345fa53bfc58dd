"""Putting right what can be: edits of whole lines, shown or written, never outside the root."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.atomic import replacing
from orchestrator.checks.finding import Edit, Finding
from orchestrator.errors import WorkspaceError, unreadable
from orchestrator.rewriting import unified_diff


@dataclass(frozen=True, slots=True)
class Fixed:
    """A file before and after its edits; `findings` are those that it puts right."""

    file: str
    before: str
    after: str
    findings: tuple[Finding, ...]

    def diff(self) -> str:
        """Return the change as a unified diff."""
        return unified_diff(self.file, self.before, self.after)


def plan_fixes(root: Path, findings: Iterable[Finding]) -> tuple[Fixed, ...]:
    """Return what files become; of findings whose edits overlap the first alone counts.

    Raises:
        WorkspaceError: A file lies outside the root, or is a link, or cannot be read.
    """
    chosen: dict[str, list[Edit]] = {}
    fixed: dict[str, list[Finding]] = {}
    for finding in findings:
        taken = [edit for edits in chosen.values() for edit in edits]
        if not any(_overlap(edit, other) for other in taken for edit in finding.fix):
            for edit in finding.fix:
                chosen.setdefault(edit.file, []).append(edit)
                fixed.setdefault(edit.file, []).append(finding)
    return tuple(
        Fixed(file, before, apply_edits(before, edits), tuple(fixed[file]))
        for file, edits in sorted(chosen.items())
        for before in (_read(root, file),)
    )


def write_fixes(root: Path, fixes: Iterable[Fixed]) -> None:
    """Write each file whole or not at all, with the mode it has.

    Raises:
        WorkspaceError: A file has changed since, or lies outside the root.
        OrchError: The disk is full, or the folder cannot be written to.
    """
    for fixed in fixes:
        if _read(root, fixed.file) != fixed.before:
            hint = "run the command again"
            raise WorkspaceError("has changed meanwhile", file=fixed.file, hint=hint)
        path = root / fixed.file
        with replacing(path, mode=stat.S_IMODE(path.stat().st_mode)) as file:
            file.write(fixed.after.encode())


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with its lines replaced; the ends of lines stay as they are."""
    lines = text.splitlines(keepends=True)
    for edit in sorted(edits, reverse=True):
        end = _ending(lines[edit.line - 1]) if edit.line <= len(lines) else "\n"
        new = [f"{line}{end}" for line in edit.text.splitlines()]
        lines[edit.line - 1 : edit.end_line] = new
    return "".join(lines)


def _ending(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :] or "\n"


def _overlap(one: Edit, other: Edit) -> bool:
    same = one.file == other.file
    return same and one.line <= other.end_line and other.line <= one.end_line


def _read(root: Path, file: str) -> str:
    """Return a file's text, its line ends kept.

    Raises:
        WorkspaceError: It is not a file of the workspace, or cannot be read.
    """
    path = Path(os.path.normpath(root / file))
    if not path.is_relative_to(root):
        hint = "edit it by hand"
        raise WorkspaceError("lies outside the workspace, and is not edited", file=file, hint=hint)
    if path.resolve() != root.resolve() / path.relative_to(root):
        hint = "edit what it leads to by hand"
        raise WorkspaceError("is a link, and is not edited", file=file, hint=hint)
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(error, file) from error
