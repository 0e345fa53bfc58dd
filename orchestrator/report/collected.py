"""What `orch gc` let go of, or would: as text and as a document."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from orchestrator.report.text import format_bytes
from orchestrator.unused.entries import Because, Collected, Entry, Swept, freed_bytes, total_bytes


def collected_lines(collected: Collected) -> list[str]:
    """Return a line for each part: what goes, why, and what stays."""
    return [f"{part.part.value:<7} {_told(part)}" for part in collected.parts]


def collected_summary(collected: Collected) -> str:
    """Return how much room that makes."""
    freed = format_bytes(_freed(collected))
    return f"{freed} would be freed" if collected.dry_run else f"{freed} freed"


def collected_document(collected: Collected) -> dict[str, Any]:
    """Return a collection, `orch.gc/1`."""
    return {
        "schema": "orch.gc/1",
        "dry_run": collected.dry_run,
        "freed_bytes": _freed(collected),
        "parts": [_document(part) for part in collected.parts],
        "notes": list(collected.notes),
    }


def _freed(collected: Collected) -> int:
    """Return what goes where nobody is at work; a file may have names in several parts."""
    return freed_bytes(entry for part in collected.parts if not part.in_use for entry in part.going)


def _told(part: Swept) -> str:
    if part.tags:
        return f"{len(part.tags)} images that were replaced"
    counts = Counter(part.going.values())
    why = ", ".join(f"{counts[because]} {because.value}" for because in Because if counts[because])
    size = format_bytes(total_bytes(part.going))
    left = f"left: {len(part.staying)} files, {format_bytes(total_bytes(part.staying))}"
    what = f"{len(part.going)} files, {size} ({why})" if part.going else "nothing"
    return f"{what}; {left}" + ("; a run is at work there, nothing goes" if part.in_use else "")


def _document(part: Swept) -> dict[str, Any]:
    return {
        "part": part.part.value,
        "in_use": part.in_use,
        "removed": [_entry(entry, because) for entry, because in part.going.items()],
        "removed_bytes": total_bytes(part.going),
        "left_bytes": total_bytes(part.staying),
        "tags": list(part.tags),
    }


def _entry(entry: Entry, because: Because) -> dict[str, Any]:
    return {
        "path": str(entry.path),
        "size_bytes": entry.size_bytes,
        "used": datetime.fromtimestamp(entry.used_s, UTC).isoformat(timespec="seconds"),
        "because": because.value,
    }
