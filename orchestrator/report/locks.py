"""What is said of a lock: moves, differences, what is newer, why a package is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.resolve.behind import Difference
    from orchestrator.resolve.explanations import Chain, Explained, Held, Line, Step
    from orchestrator.resolve.outdated import Outdated
    from orchestrator.resolve.pinning import BaseMove
    from orchestrator.resolve.upgrading import Move

_CHAINS_SHOWN = 6
_COLUMNS = ("package", "kind", "locked", "wanted", "latest", "held back by", "added by")


def lock_document(moves: Sequence[Move], base_moves: Sequence[BaseMove]) -> dict[str, Any]:
    """Return the versions and the pins of external images that moved, `orch.lock/1`."""
    rows = [
        {"name": move.name, "platform": move.platform.key, "old": move.old, "new": move.new}
        for move in moves
    ]
    bases = [{"reference": move.reference, "old": move.old, "new": move.new} for move in base_moves]
    return {"schema": "orch.lock/1", "moves": rows, "external": bases}


def check_document(differences: Sequence[Difference]) -> dict[str, Any]:
    """Return where a lock does not match its inputs, `orch.lock-check/1`."""
    rows = [
        {
            "input": item.input.value,
            "image": item.image,
            "subject": item.subject,
            "detail": item.detail,
            **_place(item.where),
        }
        for item in differences
    ]
    return {"schema": "orch.lock-check/1", "ok": not rows, "differences": rows}


def outdated_document(rows: Sequence[Outdated]) -> dict[str, Any]:
    """Return what is newer than the lock, `orch.lock-outdated/1`."""
    packages = [
        {
            "name": row.name,
            "kind": row.kind.value,
            "platform": row.platform.key,
            "locked": row.locked,
            "wanted": row.wanted,
            "latest": row.latest,
            "held_back_by": [_line(line) for line in row.held_back_by],
            "added_by": list(row.added_by),
        }
        for row in rows
    ]
    return {"schema": "orch.lock-outdated/1", "packages": packages}


def outdated_lines(rows: Sequence[Outdated]) -> Iterator[str]:
    """Yield what is newer as a table; what is the same on all platforms is one row."""
    alike: dict[tuple[str, ...], list[Outdated]] = {}
    for row in rows:
        held = "; ".join(_placed(line) for line in row.held_back_by)
        key = (row.name, row.kind.value, row.locked, row.wanted, row.latest or "?", held)
        alike.setdefault(key, []).append(row)
    if not alike:
        return
    everywhere = len({row.platform for row in rows})
    table: list[tuple[str, ...]] = [_COLUMNS]
    for cells, found in alike.items():
        images = ", ".join(dict.fromkeys(image for row in found for image in row.added_by))
        platforms = ", ".join(row.platform.key for row in found)
        table.append((*cells, images if len(found) == everywhere else f"{images} ({platforms})"))
    widths = [max(len(row[column]) for row in table) for column in range(len(_COLUMNS))]
    for line in table:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(padded).rstrip()


def explain_document(explained: Explained) -> dict[str, Any]:
    """Return why a package is there, `orch.lock-explain/1`."""
    return {
        "schema": "orch.lock-explain/1",
        "name": explained.name,
        "held": [_held(held) for held in explained.held],
        "bounds": [_line(line) for line in explained.bounds],
    }


def explain_lines(explained: Explained) -> Iterator[str]:
    """Yield why a package is there: a part for each version that an image adds."""
    for held in explained.held:
        platforms = ", ".join(map(str, held.platforms))
        yield f"{held.name} {held.version}  ({held.kind.value}, {held.form}; {platforms})"
        yield f"  added by   {held.added_by}: change that image to move it"
        others = [name for name in held.held_by if name != held.added_by]
        if others:
            yield f"  held by    {', '.join(others)}, which stand on it"
        yield from _indented("through", _chain_lines(held.chains))
        needs = (f"{step.name} {step.version} needs {step.text}" for step in held.needed_by)
        yield from _indented("needed by", needs)
    yield from _indented("bound by", (_placed(line) for line in explained.bounds))


def _chain_lines(chains: Sequence[Chain]) -> list[str]:
    shown = [
        f"{chain.line.image}: {' -> '.join(_chain_steps(chain))} ({chain.line.where})"
        for chain in sorted(chains, key=lambda chain: len(chain.steps))
    ]
    more = len(shown) - _CHAINS_SHOWN
    return [*shown[:_CHAINS_SHOWN], f"and {more} more lines"] if more > 0 else shown


def _chain_steps(chain: Chain) -> Iterator[str]:
    yield chain.line.text
    for step in chain.steps[1:]:
        yield step.text


def _indented(title: str, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"  {title:<10} {line}"
        title = ""


def _placed(line: Line) -> str:
    return f"{line.text} ({line.where})" if line.where else line.text


def _held(held: Held) -> dict[str, Any]:
    return {
        "kind": held.kind.value,
        "version": held.version,
        "form": held.form,
        "files": list(held.files),
        "platforms": [platform.key for platform in held.platforms],
        "added_by": held.added_by,
        "held_by": list(held.held_by),
        "chains": [
            {"line": _line(chain.line), "steps": [_step(step) for step in chain.steps]}
            for chain in held.chains
        ],
        "needed_by": [_step(step) for step in held.needed_by],
    }


def _step(step: Step) -> dict[str, str]:
    return {"name": step.name, "version": step.version, "text": step.text}


def _line(line: Line) -> dict[str, Any]:
    return {"text": line.text, "image": line.image, **_place(line.where)}


def _place(where: str) -> dict[str, Any]:
    """Split FILE:LINE; a file alone has no line."""
    file, _, number = where.rpartition(":")
    if file and number.isdecimal():
        return {"file": file, "line": int(number)}
    return {"file": where, "line": None}
