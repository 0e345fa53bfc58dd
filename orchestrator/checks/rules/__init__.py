"""The rules of orch, in the order in which they are listed. One module a rule or family."""

from orchestrator.checks.rule import Rule
from orchestrator.checks.rules.files import (
    invalid_file,
    suppression_without_reason,
    unused_suppression,
)
from orchestrator.checks.rules.requirements import requirement_in_base

RULES: tuple[Rule, ...] = (
    invalid_file,
    suppression_without_reason,
    unused_suppression,
    requirement_in_base,
)
