"""Pinning external images: which references are asked for, and what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from orchestrator.externals import External, LockedExternal


@dataclass(frozen=True, slots=True)
class Upstream:
    """What a reference names at its registry: a digest, or why that is not known.

    `why` is one of few phrases, fit for a lock; `detail` says more, for a person.
    """

    digest: str = ""
    why: str = ""
    detail: str = ""


AskUpstream = Callable[[Sequence[str]], Mapping[str, Upstream]]


@dataclass(frozen=True, slots=True)
class BaseMove:
    """A reference that is pinned to another digest than before; an empty one is none."""

    reference: str
    old: str
    new: str

    def __str__(self) -> str:
        """Return the move as a line."""
        return f"{self.reference} {self.old or '(none)'} -> {self.new or '(none)'}"


class BaseStatus(Enum):
    """How a pin and what its reference names now compare."""

    CURRENT = "current"
    MOVED = "moved"
    GONE = "gone"
    UNPINNED = "unpinned"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CheckedBase:
    """An external reference: its pin, what it names now, and the images that stand on it.

    `why` says why it is not known what it names, or why there is no pin.
    """

    external: External
    status: BaseStatus
    pinned: str
    upstream: str
    dependents: tuple[str, ...]
    why: str = ""


def pin_externals(
    externals: Sequence[External],
    previous: Iterable[LockedExternal],
    *,
    move: bool,
    ask: AskUpstream,
) -> tuple[tuple[LockedExternal, ...], list[str]]:
    """Pin references; those that are pinned stay, unless they are to move.

    What cannot be asked for now keeps its pin, or is left without: the notes say so.
    """
    before = {row.reference: row for row in previous if row.digest}
    wanted = [item.reference for item in externals if move or item.reference not in before]
    upstream = ask(wanted) if wanted else {}
    rows, notes = [], []
    for item in externals:
        found = upstream.get(item.reference, Upstream())
        kept = before.get(item.reference)
        if found.digest:
            rows.append(LockedExternal(item.reference, found.digest))
        elif kept:
            rows.append(kept)
        else:
            rows.append(LockedExternal(item.reference, unpinned=found.why))
        if found.why:
            left = "stays as it is pinned" if kept else _unpinned(item)
            notes.append(f"{item.where}: {item.reference} {left}: {found.why} ({found.detail})")
    return tuple(rows), notes


def _unpinned(item: External) -> str:
    if item.recipes:
        return f"is not pinned, so these are unavailable: {', '.join(item.recipes)}"
    return "is not pinned, and is built from its tag"


def find_base_moves(
    before: Iterable[LockedExternal], after: Iterable[LockedExternal]
) -> tuple[BaseMove, ...]:
    """Return what is pinned otherwise than before, by reference."""
    old = {row.reference: row.digest for row in before}
    new = {row.reference: row.digest for row in after}
    return tuple(
        BaseMove(reference, old.get(reference, ""), new.get(reference, ""))
        for reference in sorted(old.keys() | new.keys())
        if old.get(reference, "") != new.get(reference, "")
    )
