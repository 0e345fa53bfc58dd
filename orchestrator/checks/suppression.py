"""Suppressions: findings that are put up with, in comments and in the settings, for a reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from orchestrator.checks.finding import Finding
from orchestrator.checks.sources import Sources
from orchestrator.model import CheckException

_COMMENT = re.compile(r"(?:^|\s)#\s*orch:\s*ignore\b(?:\[([^\]]*)\])?[ \t]*(.*)")


@dataclass(frozen=True, slots=True)
class Suppression:
    """`# orch: ignore[RULE, ...] REASON` in a file: on `line`, about findings on line `about`."""

    file: str
    line: int
    about: int
    rules: tuple[str, ...]
    reason: str

    @property
    def is_complete(self) -> bool:
        """Tell whether it names rules and gives a reason; else it suppresses nothing."""
        return bool(self.rules and self.reason)

    def covers(self, finding: Finding) -> bool:
        """Tell whether it is about a finding."""
        return (
            self.is_complete
            and finding.rule in self.rules
            and finding.file == self.file
            and finding.region is not None
            and finding.region.line == self.about
        )


def find_suppressions(sources: Sources) -> Iterator[Suppression]:
    """Yield the suppressions in the files that were read.

    A comment behind something is about its own line; one that stands alone is about the next line
    that is neither empty nor a comment.
    """
    for file in sources.read:
        if "orch:" in (sources.text(file) or ""):
            yield from _in_lines(file, sources.lines(file))


def _in_lines(file: str, lines: tuple[str, ...]) -> Iterator[Suppression]:
    for number, line in enumerate(lines, 1):
        if not (match := _COMMENT.search(line)):
            continue
        about = number if line[: match.start()].strip() else _next(lines, number)
        rules = tuple(part.strip() for part in (match[1] or "").split(",") if part.strip())
        yield Suppression(file, number, about, rules, match[2].strip())


def _next(lines: tuple[str, ...], number: int) -> int:
    for following, line in enumerate(lines[number:], number + 1):
        if line.strip() and not line.lstrip().startswith("#"):
            return following
    return 0


def excepts(exception: CheckException, finding: Finding) -> bool:
    """Tell whether an exception of the settings is about a finding."""
    is_image = any(fnmatchcase(finding.image, pattern) for pattern in exception.images)
    is_path = any(fnmatchcase(finding.file, pattern) for pattern in exception.paths)
    anywhere = not exception.images and not exception.paths
    return exception.rule == finding.rule and (anywhere or is_image or is_path)


def holding(exceptions: Iterable[CheckException], today: str) -> tuple[CheckException, ...]:
    """Return the exceptions that hold today; those with a last day hold on it too."""
    return tuple(item for item in exceptions if not item.until or item.until >= today)
