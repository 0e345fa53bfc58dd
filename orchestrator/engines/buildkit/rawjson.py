"""Reading what `--progress=rawjson` prints, and telling the targets of a bake apart in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

Status = dict[str, Any]
"""One of BuildKit's client.SolveStatus, as JSON."""

_DECODER = json.JSONDecoder()
_PARTS = ("vertexes", "statuses", "logs", "warnings")


@dataclass(slots=True)
class RawJson:
    """Reads whole lines; what is no JSON is kept in `said`: buildx writes there what went wrong.

    buildx indents its objects in some versions and writes one a line in others.
    """

    said: list[str] = field(default_factory=list)
    _pending: list[str] = field(default_factory=list)

    def feed(self, line: str) -> Status | None:
        """Take a line of output; return the status that it ends."""
        if not self._pending and not line.startswith("{"):
            self.said.append(line.rstrip("\n"))
            return None
        self._pending.append(line)
        if not line.rstrip().endswith("}") or line.startswith((" ", "\t")):
            return None
        text = "".join(self._pending)
        self._pending.clear()
        try:
            status: Status = _DECODER.decode(text)
        except ValueError:
            self.said += text.splitlines()
            return None
        return status


class Targets:
    """Tells the targets of a bake apart: each step's name begins with its target's, in brackets."""

    def __init__(self, names: Sequence[str]) -> None:
        self._prefixes = {f"[{name}": name for name in names}
        self._of: dict[str, set[str]] = {}

    def split(self, status: Status) -> Iterator[tuple[str, Status]]:
        """Yield what a status says of each target; steps are named as without a bake."""
        found: dict[str, Status] = {}
        for vertex in status.get("vertexes") or ():
            target, name = self._target_of(vertex.get("name", ""))
            if target:
                self._of.setdefault(vertex.get("digest", ""), set()).add(target)
                found.setdefault(target, {}).setdefault("vertexes", []).append(
                    {**vertex, "name": name}
                )
        for part in _PARTS[1:]:
            for item in status.get(part) or ():
                for target in sorted(self._of.get(item.get("vertex", ""), ())):
                    found.setdefault(target, {}).setdefault(part, []).append(item)
        yield from found.items()

    def _target_of(self, name: str) -> tuple[str, str]:
        """Return a step's target and its own name; `[t internal] x` is `[internal] x`."""
        first, space, rest = name.partition(" ")
        if first.endswith("]"):
            return self._prefixes.get(first[:-1], ""), rest
        return self._prefixes.get(first, ""), f"[{rest}" if space else rest
