"""What is found of a machine: whether it will do, and what to do where it will not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad it is: a `warn` costs time or a feature, with a `fail` a verb of ours fails."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a check; what is not ok has a hint."""

    check: str
    level: Level
    message: str
    hint: str = ""


def ok(check: str, message: str) -> Finding:
    """Say that all is well."""
    return Finding(check, Level.OK, message)


def warn(check: str, message: str, hint: str) -> Finding:
    """Say what will be slower, or not be there."""
    return Finding(check, Level.WARN, message, hint)


def fail(check: str, message: str, hint: str) -> Finding:
    """Say what will fail."""
    return Finding(check, Level.FAIL, message, hint)


def needed(finding: Finding, *, is_needed: bool) -> Finding:
    """Return a failure as a warning where nothing in the workspace needs what fails."""
    if is_needed or finding.level is not Level.FAIL:
        return finding
    return warn(finding.check, finding.message, finding.hint)
