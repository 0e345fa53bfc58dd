"""Where a TOML file gives a key: found by a scan, since tomllib keeps no positions."""

from __future__ import annotations

import re


def line_of(text: str, path: tuple[str, ...]) -> int | None:
    """Return the number of the line that gives a key, or None.

    A scan, not a parse: tomllib keeps no positions. Multi-line strings may mislead it; then
    the line is off, never the message.
    """
    table, key = path[:-1], path[-1]
    current: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        header = re.match(r"\[\[?\s*([^\[\]]+?)\s*\]\]?", stripped)
        if header and not stripped.startswith(("'", '"')):
            current = tuple(part.strip(" \"'") for part in header.group(1).split("."))
            if current == path or current[: len(path)] == path:
                return number
            continue
        name = re.match(r"([^=#\"]+|\"[^\"]*\"(?:\.[^=]+)?)\s*=", stripped)
        if name:
            given = tuple(part.strip(" \"'") for part in name.group(1).strip().split("."))
            full = (*current, *given)
            if full[: len(path)] == path or (current == table and given == (key,)):
                return number
    return None
