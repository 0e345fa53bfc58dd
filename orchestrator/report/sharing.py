"""What came of wheels that were pushed or pulled: as text and as documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from orchestrator.report.text import format_bytes
from orchestrator.wheelhouse.shared_transfer import Moved, Status


def moved_lines(moved: Sequence[Moved]) -> list[str]:
    """Return a line for each wheel that was moved, or failed to be."""
    passed_over = {Status.THERE, Status.HERE, Status.ABSENT}
    return [_line(item) for item in moved if item.status not in passed_over]


def moved_summary(moved: Sequence[Moved]) -> str:
    """Return the closing line: how many of each status, and how much was moved."""
    counts = Counter(item.status for item in moved)
    parts = [f"{counts[status]} {status.value}" for status in Status if counts[status]]
    done = [item for item in moved if item.status in {Status.PUSHED, Status.FETCHED}]
    size = format_bytes(sum(item.wheel.size_bytes for item in done))
    return f"{', '.join(parts) or 'the lock names no wheels'}{f' ({size})' if done else ''}"


def moved_document(
    verb: str,
    moved: Sequence[Moved],
    warnings: Sequence[str],
    unbuilt: Sequence[str],
    *,
    dry_run: bool,
) -> dict[str, Any]:
    """Return `orch.wheels-push/1` or `orch.wheels-pull/1`."""
    return {
        "schema": f"orch.wheels-{verb}/1",
        "ok": not any(item.status is Status.FAILED for item in moved),
        "dry_run": dry_run,
        "wheels": [_document(item) for item in moved],
        "unbuilt": list(unbuilt),
        "warnings": list(warnings),
    }


def _line(item: Moved) -> str:
    line = f"{item.status.value} {item.wheel.file}"
    if item.error is not None:
        return f"{line}: {item.error}"
    size = format_bytes(item.wheel.size_bytes)
    return f"{line}  {size}  {item.place}".rstrip()


def _document(item: Moved) -> dict[str, Any]:
    wheel, error = item.wheel, item.error
    return {
        "name": wheel.name,
        "version": wheel.version,
        "file": wheel.file,
        "sha256": wheel.sha256,
        "size_bytes": wheel.size_bytes,
        "status": item.status.value,
        "place": item.place,
        "error": error and {"message": str(error), "hint": error.hint},
    }
