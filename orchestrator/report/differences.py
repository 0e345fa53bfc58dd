"""What differs between two sides: lines, Markdown for a pull request, and a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.differences.values import Change, Comparison, ImageDifference, Presence
from orchestrator.report.text import format_bytes

_MOST_FILES = 20
_SHORT = 19
"""How many characters of a digest tell it from others: `sha256:` and twelve digits."""


def difference_lines(found: Comparison) -> Iterator[str]:
    """Yield a comparison as lines: `+` came, `-` went, `~` is another one."""
    yield from (f"{one.sign} {one.subject}  {_both(one)}" for one in found.pins)
    for image in found.images:
        if image.is_empty and image.sizes is None:
            continue
        yield _heading(image)
        yield from (f"  {line}" for line in _lines(image))


def difference_markdown(found: Comparison) -> str:
    """Return a comparison as Markdown."""
    lines = [f"### `{found.old}` → `{found.new}`", ""]
    if found.is_empty:
        return "\n".join([*lines, "Nothing differs.", ""])
    if found.pins:
        lines += _table("pin", [(one.subject, one) for one in found.pins])
    for image in found.images:
        lines += [f"#### {_heading(image)}", ""]
        lines += [f"{line}  " for line in _size_lines(image)] + [""] * bool(image.sizes)
        if image.packages:
            rows = [(f"{p.change.subject} ({p.kind.value})", p.change) for p in image.packages]
            lines += _table("package", rows)
        others = [f"- `{line}`" for line in _other_lines(image)]
        lines += [*others, ""] if others else []
    return "\n".join(lines)


def difference_document(found: Comparison) -> dict[str, Any]:
    """Return a comparison, `orch.diff/1`."""
    return {
        "schema": "orch.diff/1",
        "kind": found.kind,
        "old": found.old,
        "new": found.new,
        "pins": [_change_document(one) for one in found.pins],
        "images": [_image_document(image) for image in found.images],
    }


def _image_document(image: ImageDifference) -> dict[str, Any]:
    sizes = image.sizes
    return {
        "image": image.image,
        "platform": image.platform,
        "presence": image.presence.value,
        "packages": [
            {"kind": one.kind.value, **_change_document(one.change)} for one in image.packages
        ],
        "inputs": [
            {"code": one.code, "subject": one.subject, "detail": one.detail} for one in image.inputs
        ],
        "files": [_change_document(one) for one in image.files],
        "config": [_change_document(one) for one in image.config],
        "sizes": {
            "old_bytes": sizes.old_bytes,
            "new_bytes": sizes.new_bytes,
            "old_unpacked_bytes": sizes.old_unpacked_bytes,
            "new_unpacked_bytes": sizes.new_unpacked_bytes,
        }
        if sizes
        else None,
    }


def _change_document(change: Change) -> dict[str, Any]:
    return {"subject": change.subject, "old": change.old, "new": change.new}


def _heading(image: ImageDifference) -> str:
    presence = "" if image.presence is Presence.BOTH else f" {image.presence.value}"
    return f"{image.image} ({image.platform}){presence}"


def _lines(image: ImageDifference) -> Iterator[str]:
    yield from _size_lines(image)
    for one in image.packages:
        yield f"{one.change.sign} {one.change.subject}  {_both(one.change)}  {one.kind.value}"
    yield from _other_lines(image)


def _size_lines(image: ImageDifference) -> Iterator[str]:
    if sizes := image.sizes:
        yield f"sent {format_bytes(sizes.old_bytes)} -> {format_bytes(sizes.new_bytes)}"
        old, new = sizes.old_unpacked_bytes, sizes.new_unpacked_bytes
        yield f"unpacked {format_bytes(old)} -> {format_bytes(new)}"


def _other_lines(image: ImageDifference) -> Iterator[str]:
    yield from (f"{one.sign} {one}" for one in image.inputs)
    yield from (f"{one.sign} {one.subject}  {_both(one)}" for one in image.config)
    yield from (f"{one.sign} /{one.subject}" for one in image.files[:_MOST_FILES])
    if more := len(image.files) - _MOST_FILES:
        yield from [f"and {more} more files"] * (more > 0)


def _table(what: str, rows: Sequence[tuple[str, Change]]) -> list[str]:
    lines = [f"| {what} | old | new |", "|---|---|---|"]
    for name, change in rows:
        shown = _shortened(change)
        again = " (another file)" if change.old == change.new else ""
        lines.append(f"| {name} | {shown.old or ''} | {shown.new or ''}{again} |")
    return [*lines, ""]


def _both(change: Change) -> str:
    shown = _shortened(change)
    if change.old == change.new:
        return f"{shown.new} (another file)"
    return " -> ".join(text for text in (shown.old, shown.new) if text is not None)


def _shortened(change: Change) -> Change:
    old, new = (_short(text) for text in (change.old, change.new))
    return replace(change, old=old, new=new)


def _short(text: str | None) -> str | None:
    return text[:_SHORT] if text and text.startswith("sha256:") else text
