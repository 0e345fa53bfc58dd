"""`[gc]` of the settings: how much is kept on a machine, and for how long."""

from __future__ import annotations

from orchestrator.model import GcSettings
from orchestrator.tables import Table

_MOST_DAYS = 10_000


def take_gc(table: Table) -> GcSettings:
    """Take the table's keys.

    Raises:
        WorkspaceError: They are not valid.
    """
    default = GcSettings()
    gc = GcSettings(
        days=table.take_int("days", default.days), max_size_bytes=table.take_size("max-size")
    )
    if not 0 <= gc.days <= _MOST_DAYS:
        hint = f"write a number up to {_MOST_DAYS}; 0 keeps for ever"
        table.fail("days", f"days must not be {gc.days}", hint)
    table.close()
    return gc
