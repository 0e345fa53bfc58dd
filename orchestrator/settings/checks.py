"""`[checks]` of the settings: findings of `orch check` that are put up with."""

from __future__ import annotations

import re

from orchestrator.model import CheckException, CheckSettings
from orchestrator.quantities import DAY
from orchestrator.tables import Table


def take_checks(table: Table) -> CheckSettings:
    """Take the table's keys.

    Raises:
        WorkspaceError: They are not valid.
    """
    exceptions = tuple(_exception(inner) for inner in table.take_tables("exceptions"))
    table.close()
    return CheckSettings(exceptions)


def _exception(table: Table) -> CheckException:
    exception = CheckException(
        rule=table.take_str("rule"),
        reason=table.take_str("reason"),
        until=table.take_str("until"),
        images=table.take_strs("images"),
        paths=table.take_strs("paths"),
        line=table.line,
    )
    if not exception.rule:
        hint = "orch check --list-rules shows them"
        table.fail("rule", "an exception needs the id of a rule", hint=hint)
    if not exception.reason:
        hint = 'write reason = "...": somebody will have to decide about it again'
        table.fail("reason", f"the exception from {exception.rule} needs a reason", hint=hint)
    if exception.until and not re.fullmatch(DAY, exception.until):
        hint = 'write the last day on which it holds, in quotes: until = "2027-01-31"'
        table.fail("until", f"until is no day: {exception.until!r}", hint=hint)
    table.close()
    return exception
