"""Which rules there are: those of orch, and those that installed packages bring."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata

from orchestrator.checks.finding import Finding, Severity
from orchestrator.checks.rule import NotRunError, Rule, reports
from orchestrator.checks.rules import RULES
from orchestrator.checks.subject import Subject
from orchestrator.errors import OrchError, WorkspaceError

ENTRY_POINTS = "orch.rules"
"""The group of entry points by which packages bring rules: each is a rule, or several in a row."""


class RuleError(OrchError):
    """A rule of an installed package cannot be used."""


@dataclass(frozen=True, slots=True)
class ForeignRule:
    """A rule that a distribution brings; what goes wrong in it names the distribution."""

    inner: Rule
    distribution: str

    @property
    def id(self) -> str:
        return self.inner.id

    @property
    def severity(self) -> Severity:
        return self.inner.severity

    @property
    def title(self) -> str:
        return self.inner.title

    @property
    def explanation(self) -> str:
        return self.inner.explanation

    @property
    def passes_on(self) -> str:
        return self.inner.passes_on

    def check(self, subject: Subject) -> Iterator[Finding]:
        """Yield what the rule finds.

        Raises:
            RuleError: The rule fails; the message names the distribution.
        """
        try:
            yield from self.inner.check(subject)
        except (OrchError, NotRunError):
            raise
        except Exception as error:  # whatever somebody else's code raises
            raise _failed(self.distribution, f"rule {self.id}", error) from error


def read_rules() -> tuple[Rule, ...]:
    """Return all rules: those of orch first, then those of entry points, by name.

    Raises:
        RuleError: One cannot be loaded, is no rule, or has the id of another.
    """
    rules = {one.id: one for one in RULES}
    for entry in sorted(metadata.entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        for one in _load(entry):
            if one.id in rules:
                raise RuleError(
                    f"{one.distribution} brings a rule {one.id}, and there is one already",
                    hint="give it another id, with a prefix of your own",
                )
            rules[one.id] = one
    return tuple(rules.values())


def choose_rules(rules: Iterable[Rule], wanted: Iterable[str]) -> tuple[Rule, ...]:
    """Return the rules that report findings of the ids wanted; all where none are named.

    Raises:
        WorkspaceError: No rule reports an id.
    """
    rules, wanted = tuple(rules), tuple(wanted)
    for id_ in wanted:
        if not any(reports(one, id_) for one in rules):
            near = difflib.get_close_matches(id_, [one.id for one in rules], n=1)
            hint = f"did you mean {near[0]!r}?" if near else "orch check --list-rules shows them"
            raise WorkspaceError(f"there is no rule {id_!r}", hint=hint)
    chosen = (one for one in rules if not wanted or any(reports(one, id_) for id_ in wanted))
    return tuple(chosen)


def _load(entry: metadata.EntryPoint) -> Iterator[ForeignRule]:
    distribution = entry.dist.name if entry.dist else "an unknown distribution"
    try:
        loaded = entry.load()
    except Exception as error:  # whatever somebody else's code raises
        raise _failed(distribution, f"the entry point {entry.name}", error) from error
    for one in loaded if isinstance(loaded, tuple | list) else (loaded,):
        if not _is_rule(one):
            message = f"{distribution}: the entry point {entry.name} is no rule"
            raise RuleError(message, hint="make it with orchestrator.checks.rule.rule")
        yield ForeignRule(one, distribution)


def _is_rule(one: object) -> bool:
    texts = (getattr(one, name, None) for name in ("id", "title", "explanation", "passes_on"))
    is_judged = isinstance(getattr(one, "severity", None), Severity)
    return is_judged and all(isinstance(text, str) for text in texts) and hasattr(one, "check")


def _failed(distribution: str, what: str, error: Exception) -> RuleError:
    return RuleError(
        f"{distribution}: {what} fails: {type(error).__name__}: {error}",
        hint=f"update {distribution}, or uninstall it to check without its rules",
    )
