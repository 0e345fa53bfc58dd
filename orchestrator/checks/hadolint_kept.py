"""What hadolint said of Dockerfiles before, kept for as long as it would say the same again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.atomic import write_text
from orchestrator.checks.hadolint import Remark
from orchestrator.checks.rule import NotRunError
from orchestrator.errors import OrchError

_MOST_TEXTS = 5_000
"""How many Dockerfiles are remembered: some 500 bytes each, and those used last are kept."""
_TIMEOUT_S = 20

_Rows = dict[str, list[list[Any]]]


class KeptRemarks:
    """Remarks by what they follow from: `judge`, as of `judge_of`, and a Dockerfile's text.

    One file serves all workspaces of a user. What cannot be read of it is found out again, and
    what cannot be written is left: losing it costs time and nothing else.
    """

    def __init__(self, file: Path, judge: str) -> None:
        self._file = file
        self._judge = judge
        self._rows = _read_rows(file)
        self._used: dict[str, None] = {}

    def recall(self, file: str, text: str) -> tuple[Remark, ...] | None:
        """Return what was said of a text, as said of `file`; None where that is not known."""
        key = self._key(text)
        try:
            found = tuple(
                Remark(str(code), str(level), str(message), file, int(line))
                for code, level, message, line in self._rows[key]
            )
        except (KeyError, TypeError, ValueError):
            self._rows.pop(key, None)
            return None
        self._used[key] = None
        return found

    def remember(self, said: Mapping[str, tuple[Remark, ...]]) -> None:
        """Keep what was said of texts, if anything, with what other runs kept meanwhile."""
        if not said:
            return
        new: _Rows = {
            self._key(text): [[one.code, one.level, one.message, one.line] for one in remarks]
            for text, remarks in said.items()
        }
        rows = {**_read_rows(self._file), **self._rows}
        used = {key: rows.pop(key) for key in self._used}
        rows = {**rows, **used, **new}
        kept = dict(list(rows.items())[-_MOST_TEXTS:])
        with suppress(OrchError):
            write_text(self._file, json.dumps(kept))

    def _key(self, text: str) -> str:
        return hashlib.sha256(f"{self._judge}\0{text}".encode()).hexdigest()


def judge_of(program: Path, root: Path) -> str:
    """Return a digest of what decides, besides a Dockerfile's text, what hadolint says of it.

    That is its version, its settings in every place where it looks for some, and its variables.

    Raises:
        NotRunError: It cannot be run.
    """
    try:
        version = subprocess.run(
            [str(program), "--version"], capture_output=True, check=False, timeout=_TIMEOUT_S
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotRunError(f"hadolint cannot be run: {error}") from error
    variables = sorted(item for item in os.environ.items() if item[0].startswith("HADOLINT_"))
    settings = [_digest(place) for place in _settings_places(root)]
    return hashlib.sha256(repr((version, variables, settings)).encode()).hexdigest()


def _settings_places(root: Path) -> Iterator[Path]:
    """Yield where hadolint 2.15 looks for settings, of which it takes the first."""
    home = Path.home()
    configured = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    names = (
        root / ".hadolint",
        configured / "hadolint",
        home / ".hadolint/hadolint",
        home / ".hadolint/config",
        home / ".hadolint",
    )
    for name in names:
        yield from (name.with_name(f"{name.name}.{ending}") for ending in ("yaml", "yml"))


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _read_rows(file: Path) -> _Rows:
    try:
        rows = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return rows if isinstance(rows, dict) else {}
