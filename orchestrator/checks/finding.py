"""What a rule finds: where, how bad, and what would put it right."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How bad a finding is; the words are SARIF's levels (2.1.0, section 3.27.10)."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """Return its place in the order, the worst first."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """A part of a file; lines and columns count from 1, and a column of 0 means all of the line.

    `end_column` is the column after the last character.
    """

    line: int
    column: int = 0
    end_column: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Whole lines of a file, `line` to `end_line`, replaced by `text`; "" takes them out.

    `file` is relative to the workspace's root. `text` needs no newline at its end.
    """

    file: str
    line: int
    end_line: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found.

    `rule` is the rule's id, or that of another tool which the rule passes on, explained at `uri`.
    `file` is relative to the workspace's root, "" where no file is to blame; `image` is "" where
    the finding is about none or several. `fix` is what puts it right without changing what is
    built; none where somebody has to decide.
    """

    rule: str
    severity: Severity
    message: str
    hint: str = ""
    file: str = ""
    region: Region | None = None
    image: str = ""
    fix: tuple[Edit, ...] = ()
    uri: str = ""

    @property
    def where(self) -> str:
        """Return FILE, FILE:LINE or FILE:LINE:COLUMN."""
        if not self.region:
            return self.file
        column = f":{self.region.column}" if self.region.column else ""
        return f"{self.file}:{self.region.line}{column}"
