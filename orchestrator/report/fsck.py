"""What is wrong with what is kept, for people and programs; progress of looking for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.fsck.finding import Checked, Finding
from orchestrator.report.showing import Shown, live_bars
from orchestrator.report.text import format_bytes


def fsck_lines(checked: Checked) -> list[str]:
    """Return a line for each thing that is wrong: how, where, which file and what of it."""
    return [
        f"{item.fault.value:<10}  {item.where.value:<10}  {item.path}: {item.what}"
        for item in checked.findings
    ]


def fsck_document(checked: Checked, left: Mapping[Finding, str] | None) -> dict[str, Any]:
    """Return `orch.fsck/1`; `left` is what a repair could not drop, None without a repair."""
    return {
        "schema": "orch.fsck/1",
        "ok": not (checked.findings if left is None else left),
        "files": checked.files,
        "size_bytes": checked.size_bytes,
        "findings": [
            {
                "where": item.where.value,
                "fault": item.fault.value,
                "path": str(item.path),
                "what": item.what,
                "repaired": left is not None and item not in left,
            }
            for item in checked.findings
        ],
    }


class SilentCheck(Shown):
    """Shows nothing."""

    def begun(self, files: int, size_bytes: int) -> None:
        """Take no note."""

    def read(self, size_bytes: int) -> None:
        """Take no note."""


class PlainCheck(SilentCheck):
    """A line when it is known how much is to be read: for logs and pipes."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say

    def begun(self, files: int, size_bytes: int) -> None:
        """Say how much is to be read."""
        self._say(f"checking {files} files, {format_bytes(size_bytes)}")


class LiveCheck(SilentCheck):
    """A bar of the bytes that are read."""

    def __init__(self) -> None:
        from rich import progress as rich  # noqa: PLC0415 - slow to import, and not always used

        self._bars = live_bars(rich.DownloadColumn(), rich.TransferSpeedColumn())
        super().__init__(self._bars)
        self._whole = self._bars.add_task("looking at what is there", total=None)
        self._read_bytes = 0
        self._shown_at = 0.0

    def begun(self, files: int, size_bytes: int) -> None:
        """Let the bar stand for the bytes that are to be read."""
        self._bars.update(self._whole, description=f"checking {files} files", total=size_bytes)

    def read(self, size_bytes: int) -> None:
        """Show how much was read, a few times a second."""
        with self._lock:
            self._read_bytes += size_bytes
            if time.monotonic() - self._shown_at < 0.1:
                return
            self._shown_at = time.monotonic()
        self._bars.update(self._whole, completed=self._read_bytes)
