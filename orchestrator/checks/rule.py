"""What a rule is: an id for ever, a severity, an explanation, and a function over a subject."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from orchestrator.checks.finding import Edit, Finding, Region, Severity
from orchestrator.checks.subject import Subject


class NotRunError(Exception):
    """Raised by a rule that cannot look: a tool it needs is missing, say. Its text says why."""


Check = Callable[[Subject], Iterable[Finding]]


class Rule(Protocol):
    """A rule; `title` is a line without full stop, `explanation` is Markdown.

    `passes_on` is a pattern of ids of another tool's findings that the rule hands on, or "".
    """

    @property
    def id(self) -> str: ...

    @property
    def severity(self) -> Severity: ...

    @property
    def title(self) -> str: ...

    @property
    def explanation(self) -> str: ...

    @property
    def passes_on(self) -> str: ...

    def check(self, subject: Subject) -> Iterator[Finding]:
        """Yield what is found. Files are read through the subject alone.

        Raises:
            NotRunError: The rule cannot look here.
        """
        ...


@dataclass(frozen=True, slots=True)
class FunctionRule:
    """A rule that a function is."""

    id: str
    severity: Severity
    title: str
    explanation: str
    function: Check
    passes_on: str = ""

    def finding(
        self,
        message: str,
        hint: str = "",
        *,
        file: str = "",
        region: Region | None = None,
        image: str = "",
        fix: tuple[Edit, ...] = (),
        severity: Severity | None = None,
    ) -> Finding:
        """Return a finding of this rule, as severe as the rule unless said otherwise."""
        severity = severity or self.severity
        return Finding(self.id, severity, message, hint, file, region, image, fix)

    def check(self, subject: Subject) -> Iterator[Finding]:
        """Yield what the function finds."""
        yield from self.function(subject)


def rule(id_: str, severity: Severity, *, passes_on: str = "") -> Callable[[Check], FunctionRule]:
    """Make a rule of a function; its docstring's first line is the title, the rest explains.

    The explanation is Markdown: the story, then `## What to do` and `## Example`.
    """

    def make(function: Check) -> FunctionRule:
        title, _, explanation = inspect.cleandoc(function.__doc__ or "").partition("\n")
        return FunctionRule(
            id_, severity, title.rstrip("."), explanation.strip(), function, passes_on
        )

    return make


def reports(one: Rule, id_: str) -> bool:
    """Tell whether findings of an id are a rule's: its own, or such as it passes on."""
    return id_ == one.id or bool(one.passes_on and re.fullmatch(one.passes_on, id_))
