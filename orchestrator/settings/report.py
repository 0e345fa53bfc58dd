"""`[report]` of the settings: what `orch report` cannot measure."""

from __future__ import annotations

import re

from orchestrator.model import ReportSettings, StoragePrice
from orchestrator.tables import Table

_PRICE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Z]{3})")


def take_report(table: Table) -> ReportSettings:
    """Take the table's keys.

    Raises:
        WorkspaceError: They are not valid.
    """
    text = table.take_str("storage-price")
    found = _PRICE.fullmatch(text)
    if text and not found:
        hint = 'an amount and a currency: "0.10 USD"'
        table.fail("storage-price", f"storage-price is no price: {text!r}", hint=hint)
    table.close()
    return ReportSettings(StoragePrice(float(found[1]), found[2]) if found else None)
