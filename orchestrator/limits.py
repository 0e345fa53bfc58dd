"""`[gates]`: the limits of an image, in its recipe, or in the settings for a Dockerfile's."""

from __future__ import annotations

from orchestrator.model import SEVERITIES, Gates
from orchestrator.tables import Table


def take_gates(table: Table) -> Gates:
    """Take all keys of a table of limits.

    Raises:
        WorkspaceError: A key is unknown, or a limit is none.
    """
    default = Gates()
    gates = Gates(
        max_size_bytes=table.take_size("max-size"),
        max_growth_percent=table.take_percent("max-growth"),
        start_within_s=table.take_seconds("start-within", 0.0) or None,
        read_only=table.take_bool("read-only", default=default.read_only),
        severity=table.take_str("severity", default.severity),
    )
    if gates.severity not in ("", *SEVERITIES):
        known = ", ".join(SEVERITIES)
        hint = 'write it in quotes: severity = "high"; "none" puts up with every finding'
        message = f"severity must be one of {known}, not {gates.severity!r}"
        table.fail("severity", message, hint)
    table.close()
    return gates
