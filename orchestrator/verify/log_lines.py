"""Errors in what a service logs while it starts."""

from __future__ import annotations

import re
from collections.abc import Iterator

READ_ONLY = re.compile(r"(?i)read-only file ?system|EROFS")
"""What a service says that wrote where it may not (errno EROFS)."""

_TRACEBACK = "Traceback (most recent call last)"
_LEVEL = re.compile(
    r"\b(?:ERROR|CRITICAL|FATAL|PANIC)\b"
    r"|[\"']?(?:level|levelname|severity|lvl)[\"']?\s*[:=]\s*[\"']?(?:error|critical|fatal|panic)\b"
    r"|^panic: "
)
_NETWORK = re.compile(
    r"(?i)connection refused|network is unreachable|name or service not known|name resolution"
    r"|no address associated|nodename nor servname|cannot assign requested address|no route to host"
    r"|could ?n[o']t (?:resolve|connect)|connect(?:ion)? ?error|failed to resolve|dns"
    r"|all connection attempts failed|max retries exceeded"
)
"""What follows from a container that has no network, which is how it is tried."""
_LINE_CHARACTERS = 300


def error_lines(log: str) -> list[str]:
    """Return the lines that tell of errors, a traceback as its last line.

    What only says that there is no network is left out.
    """
    return [line for line in _errors(log.splitlines()) if not _NETWORK.search(line)]


def read_only_lines(log: str) -> list[str]:
    """Return the lines that tell of a write to a read-only file system."""
    return [line.strip()[:_LINE_CHARACTERS] for line in log.splitlines() if READ_ONLY.search(line)]


def _errors(lines: list[str]) -> Iterator[str]:
    rest = iter(lines)
    for line in rest:
        if _TRACEBACK in line:
            # In a log of JSON the whole of it is on the line; else it ends where no indent is.
            last = line if line.lstrip().startswith("{") else ""
            while not last:
                following = next(rest, "Traceback that is cut off")
                last = "" if following.startswith((" ", "\t")) or not following else following
            yield last[-_LINE_CHARACTERS:]
        elif _LEVEL.search(line) or READ_ONLY.search(line):
            yield line.strip()[:_LINE_CHARACTERS]
