"""TOML that was parsed before: its text decides what it says, so its digest is its stamp."""

from __future__ import annotations

import hashlib
import json
import tomllib
from contextlib import suppress
from typing import Any

from orchestrator.remembered.memory import Kind, Memory


class CachedToml:
    """Parses one long text, of which the last that was parsed is remembered as JSON."""

    def __init__(self, memory: Memory, subject: str) -> None:
        self._memory = memory
        self._subject = subject

    def loads(self, text: str) -> dict[str, Any]:
        """Parse TOML.

        Raises:
            TOMLDecodeError: It is none.
        """
        stamp = hashlib.sha256(text.encode()).hexdigest()
        known = self._memory.recall(Kind.TOML, self._subject, stamp)
        try:
            raw: Any = json.loads(known) if known else None
        except ValueError:
            raw = None
        if isinstance(raw, dict):
            return raw
        return self._parse(text, stamp)

    def _parse(self, text: str, stamp: str) -> dict[str, Any]:
        raw = tomllib.loads(text)
        with suppress(TypeError, ValueError):  # a date, or what else JSON has no word for
            self._memory.remember(Kind.TOML, self._subject, stamp, json.dumps(raw))
        return raw
