"""What is said of external images whose pins were compared with their registries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.resolve.pinning import CheckedBase

_DIGEST = len("sha256:") + 12


def bases_document(bases: Sequence[CheckedBase]) -> dict[str, Any]:
    """Return how pins and registries compare, `orch.bases/1`."""
    rows = [
        {
            "reference": base.external.reference,
            "status": base.status.value,
            "pinned": base.pinned,
            "upstream": base.upstream,
            "named_by": list(base.external.images),
            "dependents": list(base.dependents),
            "file": base.external.file,
            "line": base.external.line,
            "why": base.why,
        }
        for base in bases
    ]
    return {"schema": "orch.bases/1", "bases": rows}


def bases_lines(bases: Sequence[CheckedBase]) -> Iterator[str]:
    """Yield a line for each external image, and one for what stands on it where it moved."""
    for base in bases:
        digests = [digest[:_DIGEST] for digest in (base.pinned, base.upstream) if digest]
        shown = " -> ".join(dict.fromkeys(digests)) or base.why
        yield f"{base.status.value:<9} {base.external.reference}  {shown}".rstrip()
        if base.pinned and base.why:
            yield f"          {base.why}"
        if base.pinned != base.upstream and base.pinned and base.upstream:
            yield f"          rebuilds {', '.join(base.dependents)}"
