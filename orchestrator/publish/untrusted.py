"""Documents that others answer with, read without believing them; what is wrong is a ValueError."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def read_object(data: bytes | str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ValueError: It is none, or nested deeper than Python reads.
    """
    try:
        value = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - the one error of this room
    return value


def read_rows(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the objects of a list in a document.

    Raises:
        ValueError: There is no such list, or something else is in it.
    """
    rows = document.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"its {key} are no list of objects")
    return rows
