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
        table.fail("days", f"days must be 0, for ever, to {_MOST_DAYS}, not {gc.days}")
    table.close()
    return gc
