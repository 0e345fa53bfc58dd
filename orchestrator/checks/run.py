"""Running rules over a subject, and putting aside what is put up with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.checks.finding import Finding, Region, Severity
from orchestrator.checks.rule import NotRunError, Rule, reports
from orchestrator.checks.subject import Subject
from orchestrator.checks.suppression import (
    Suppression,
    excepts,
    find_suppressions,
    holding,
)
from orchestrator.model import CheckException

UNUSED = "unused-suppression"
WITHOUT_REASON = "suppression-without-reason"


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A finding that is put up with; `in_source` says by a comment, not by the settings."""

    finding: Finding
    reason: str
    in_source: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """What a run of rules came to, in a stable order; `images` is how many were looked at.

    `not_run` says of rules that could not look why.
    """

    rules: tuple[Rule, ...]
    findings: tuple[Finding, ...]
    suppressed: tuple[Suppressed, ...] = ()
    not_run: Mapping[str, str] = field(default_factory=dict)
    images: int = 0

    def count(self, severity: Severity) -> int:
        """Return how many findings are as severe as that."""
        return sum(finding.severity is severity for finding in self.findings)


def run_rules(
    subject: Subject, rules: Sequence[Rule], today: str, only: frozenset[str] = frozenset()
) -> Checked:
    """Return what rules find in a subject; `today` is YYYY-MM-DD, `only` are ids to keep.

    Findings about images that were not selected are dropped. Which suppressions are of no use is
    told only where every rule looked at every image: else nobody knows.
    """
    found, not_run = _find(subject, rules, only)
    comments = tuple(find_suppressions(subject.sources))
    exceptions = subject.settings.checks.exceptions
    kept, suppressed, used = _put_aside(found, comments, holding(exceptions, today))
    kept += map(_without_reason, (item for item in comments if not item.is_complete))
    if not only and len(subject.selected) == len(subject.graph.images):
        blind = [one for one in rules if one.id in not_run]
        unused = _find_unused(subject, comments, used, today)
        kept += (item for id_, item in unused if not any(reports(one, id_) for one in blind))
    kept.sort(key=_order)
    return Checked(tuple(rules), tuple(kept), tuple(suppressed), not_run, len(subject.selected))


def _find(
    subject: Subject, rules: Iterable[Rule], only: frozenset[str]
) -> tuple[list[Finding], dict[str, str]]:
    others = set(subject.graph.images) - subject.selected
    found: dict[Finding, None] = {}
    not_run: dict[str, str] = {}
    for one in rules:
        try:
            for finding in one.check(subject):
                is_wanted = not only or only & {finding.rule, one.id}
                if is_wanted and finding.image not in others:
                    found[finding] = None
        except NotRunError as error:
            not_run[one.id] = str(error)
    return sorted(found, key=_order), not_run


_By = Suppression | CheckException


def _put_aside(
    found: Iterable[Finding], comments: Sequence[Suppression], exceptions: Sequence[CheckException]
) -> tuple[list[Finding], list[Suppressed], set[_By]]:
    kept, suppressed, used = [], [], set[_By]()
    for finding in found:
        by: _By | None = next((item for item in comments if item.covers(finding)), None)
        by = by or next((item for item in exceptions if excepts(item, finding)), None)
        if by is None:
            kept.append(finding)
        else:
            used.add(by)
            suppressed.append(Suppressed(finding, by.reason, isinstance(by, Suppression)))
    return kept, suppressed, used


def _find_unused(
    subject: Subject, comments: Iterable[Suppression], used: set[_By], today: str
) -> Iterator[tuple[str, Finding]]:
    """Yield the ids that suppressions of no use are about, and findings about these."""
    for comment in comments:
        if comment.is_complete and comment not in used:
            message = f"nothing is suppressed here: no finding of {', '.join(comment.rules)}"
            finding = _unused(message, comment.file, comment.line)
            yield comment.rules[0], finding
    for item in subject.settings.checks.exceptions:
        if item.until and item.until < today:
            message = f"the exception from {item.rule} ended on {item.until}"
        elif item in used:
            continue
        else:
            message = f"nothing is excepted from {item.rule}"
        yield item.rule, _unused(message, subject.settings_file, item.line)


def _unused(message: str, file: str, line: int | None) -> Finding:
    hint = "take it out, so that it does not hide what comes later"
    region = Region(line) if line else None
    return Finding(UNUSED, Severity.WARNING, message, hint, file, region)


def _without_reason(item: Suppression) -> Finding:
    lacks = "a reason" if item.rules else "the id of a rule"
    return Finding(
        WITHOUT_REASON,
        Severity.WARNING,
        f"a suppression needs {lacks}, and suppresses nothing without",
        "write: # orch: ignore[RULE] REASON",
        item.file,
        Region(item.line),
    )


def _order(finding: Finding) -> tuple[object, ...]:
    region = finding.region or Region(0)
    rank = finding.severity.rank
    return (finding.file, region, rank, finding.rule, finding.image, finding.message)
