"""What buildx prints: its progress as JSON, then a person's account of what went wrong."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestrator.engines.buildkit.rawjson import RawJson, Status


@dataclass(slots=True)
class Progress:
    """Reads `--progress=rawjson`, whole lines at a time; yields lines of a log for people.

    Steps are numbered in the order they begin, as `--progress=plain` does.

    Source: BuildKit's client.SolveStatus.
    """

    failed: str = ""
    cached: int = 0
    _numbers: dict[str, int] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)
    _ended: set[str] = field(default_factory=set)
    _open: dict[str, str] = field(default_factory=dict)
    _raw: RawJson = field(default_factory=RawJson)
    _logged: dict[str, list[str]] = field(default_factory=dict)

    @property
    def said(self) -> list[str]:
        """Return the lines that are no JSON: buildx writes there what went wrong."""
        return self._raw.said

    def feed(self, line: str) -> Iterator[str]:
        """Take a line of output; yield what it means."""
        if status := self._raw.feed(line):
            yield from self.take(status)

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines that the step that failed wrote."""
        return self._logged.get(self.failed, [])[-count:]

    def take(self, status: Status) -> Iterator[str]:
        """Take a status; yield what it means."""
        for vertex in status.get("vertexes") or ():
            yield from self._take_vertex(vertex)
        for log in status.get("logs") or ():
            yield from self._take_log(log)
        for warning in status.get("warnings") or ():
            short = base64.b64decode(warning.get("short") or "").decode(errors="replace")
            yield f"warning: {short}"

    def _take_vertex(self, vertex: dict[str, Any]) -> Iterator[str]:
        digest = vertex.get("digest", "")
        if vertex.get("started") and digest not in self._begun:
            self._begun.add(digest)
            yield f"#{self._number(digest)} {vertex.get('name', '')}"
        if digest in self._ended or not (vertex.get("completed") or vertex.get("error")):
            return
        number = self._number(digest)
        if rest := self._open.pop(digest, ""):
            yield from self._line(digest, rest)
        if error := vertex.get("error"):
            self._ended.add(digest)
            # what was cancelled because another step failed is not what failed
            if not self.failed and "context canceled" not in error:
                self.failed = digest
            yield f"#{number} ERROR: {error}"
        elif vertex.get("cached"):
            self._ended.add(digest)
            self.cached += 1
            yield f"#{number} CACHED"

    def _take_log(self, log: dict[str, Any]) -> Iterator[str]:
        digest = log.get("vertex", "")
        data = base64.b64decode(log.get("data") or "").decode(errors="replace")
        *lines, rest = (self._open.pop(digest, "") + data).split("\n")
        for line in lines:
            yield from self._line(digest, line)
        if rest:
            self._open[digest] = rest

    def _line(self, digest: str, text: str) -> Iterator[str]:
        shown = text.rstrip("\r").rsplit("\r", 1)[-1]  # what a terminal would show in the end
        self._logged.setdefault(digest, []).append(shown)
        yield f"#{self._number(digest)} {shown}"

    def _number(self, digest: str) -> int:
        return self._numbers.setdefault(digest, len(self._numbers) + 1)
