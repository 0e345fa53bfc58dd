"""What verifying images came to: tables for people, documents for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.checks.secrets import masked
from orchestrator.report.text import format_bytes
from orchestrator.verify.components import Component, Origin
from orchestrator.verify.gate import Result, Subject
from orchestrator.verify.gates import Judged, Verified
from orchestrator.verify.size_gates import largest

_SIZE_GATES = {"max-size", "max-growth"}


def verified_lines(image: Verified, *, sizes: bool) -> Iterator[str]:
    """Yield what an image's gates came to, a line each; with `sizes`, what weighs how much too.

    Where a gate on its size failed, that is told in any case.
    """
    if image.error is not None:
        yield f"{image.name}  {image.platform}  {Result.FAILED.value}: {image.error}"
    if image.subject is None:
        return
    subject = image.subject
    packed, unpacked = format_bytes(subject.size_bytes), format_bytes(subject.unpacked_bytes)
    yield f"{image.name}  {image.platform}  {subject.digest[:19]}  {unpacked}, packed {packed}"
    for item in image.judged:
        yield f"  {item.verdict.result.value:<11}  {item.gate.id:<14}  {masked(item.verdict.says)}"
    is_too_big = any(item.gate.id in _SIZE_GATES for item in image.with_result(Result.FAILED))
    if sizes or is_too_big:
        yield from _size_lines(subject)


def _size_lines(subject: Subject) -> Iterator[str]:
    yield "  by layer:"
    for row in _layers(subject):
        yield f"    {format_bytes(row['unpacked_bytes']):>9}  {row['what']}"
    yield "  by kind:"
    for origin, size_bytes in _by_origin(subject.components).items():
        yield f"    {format_bytes(size_bytes):>9}  {origin}"
    yield "  the largest:"
    for item in largest(subject):
        yield f"    {format_bytes(item.size_bytes):>9}  {item.origin.value} {item.name}"


def summary_line(images: Sequence[Verified], duration_s: float) -> str:
    """Return the closing line: how many images, and how many gates came to what."""
    counts = {result: sum(len(image.with_result(result)) for image in images) for result in Result}
    total = ", ".join(f"{count} {result.value}" for result, count in counts.items() if count)
    return f"{len(images)} images, gates: {total or 'none'} in {duration_s:.1f} s"


def unchecked_lines(images: Sequence[Verified]) -> Iterator[str]:
    """Yield what could not be checked: a line for each gate and reason, with the images."""
    rows: dict[tuple[str, str], list[str]] = {}
    for image in images:
        for item in image.with_result(Result.NOT_CHECKED):
            rows.setdefault((item.gate.id, item.verdict.says), []).append(image.name)
    for (gate, why), names in rows.items():
        yield f"not checked: {gate} of {', '.join(names)}: {why}"


def verified_document(image: Verified) -> dict[str, Any]:
    """Return one image of `orch.verify/1`."""
    subject, error = image.subject, image.error
    return {
        "name": image.name,
        "platform": image.platform.key,
        "digest": subject.digest if subject else None,
        "ok": image.ok,
        "gates": [_gate(item) for item in image.judged],
        "size": _size(subject) if subject else None,
        "error": {"message": str(error), "hint": error.hint} if error else None,
    }


def _gate(item: Judged) -> dict[str, Any]:
    verdict = item.verdict
    return {
        "id": item.gate.id,
        "title": item.gate.title,
        "result": verdict.result.value,
        "says": masked(verdict.says),
        "evidence": _masked(verdict.evidence),
        "limits": dict(verdict.limits),
    }


def _masked(value: Any) -> Any:
    """Return evidence without secrets: services log and answer what they like."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {key: _masked(item) for key, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list | tuple) else value


def _size(subject: Subject) -> dict[str, Any]:
    return {
        "size_bytes": subject.size_bytes,
        "unpacked_bytes": subject.unpacked_bytes,
        "hidden_bytes": subject.contents.hidden_bytes,
        "layers": _layers(subject),
        "by_kind": _by_origin(subject.components),
        "components": [
            _component(item) for item in subject.components if item.origin is not Origin.FILE
        ],
        "largest": [_component(item) for item in largest(subject)],
    }


def _layers(subject: Subject) -> list[dict[str, Any]]:
    unpacked = [0] * len(subject.layers)
    for path, file in subject.contents.files.items():
        unpacked[subject.contents.layer_of[path]] += file.size_bytes
    return [
        {
            "digest": layer.digest,
            "what": layer.what,
            "size_bytes": layer.size_bytes,
            "unpacked_bytes": seen_bytes,
        }
        for layer, seen_bytes in zip(subject.layers, unpacked, strict=True)
    ]


def _by_origin(components: Sequence[Component]) -> dict[str, int]:
    sizes = dict.fromkeys((origin.value for origin in Origin), 0)
    for item in components:
        sizes[item.origin.value] += item.size_bytes
    return sizes


def _component(item: Component) -> dict[str, Any]:
    return {
        "kind": item.origin.value,
        "name": item.name,
        "unpacked_bytes": item.size_bytes,
        "files": item.files,
    }
