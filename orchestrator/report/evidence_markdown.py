"""Evidence of a build as Markdown: tables, of which every figure is one of the evidence's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from orchestrator.evidence.facts import Evidence, Finding, ImageFacts, Layer, Timing
from orchestrator.report.evidence_text import (
    check_text,
    headline,
    past_durations,
    past_sizes,
    size_text,
    storage_text,
    why_built,
)
from orchestrator.report.markdown import escaped, table_lines

_IMAGES = ("Image", "Tier", "Status", "Why", "Digest", "Packed", "Unpacked")
_FAILURES = ("Image", "Error", "What to do", "So skipped", "Log")
_TIMES = ("Image", "Began, s", "Took, s", "Waited for", "Then waited, s", "Critical")
_LAYERS = ("First in", "Layer", "Digest", "Packed", "Unpacked")
_CHECKS = ("Rule", "Severity", "Image", "Where", "What was found")
_HISTORY = ("Image", "Builds on record", "Packed, first to last", "Took, first to last")
_REGISTRY = ("Image", "Digest read back", "Tags", "Weighs")


def evidence_markdown(evidence: Evidence) -> Iterator[str]:
    """Yield a Markdown page: what went wrong first, what was not checked last."""
    yield f"# Build of {evidence.started}"
    yield f"\n**{headline(evidence)}**\n"
    yield from (f"- {escaped(note)}" for note in evidence.notes)
    yield from _section("What went wrong", _FAILURES, _failure_rows(evidence))
    yield from _section("Images", _IMAGES, map(_image_row, evidence.images))
    timed = [_time_row(image, image.timing) for image in evidence.images if image.timing]
    yield from _section("Times", _TIMES, timed)
    if evidence.critical_path:
        yield f"\nCritical path: {' → '.join(evidence.critical_path)}"
    layers = [_layer_row(image, layer) for image, layer in evidence.layers()]
    yield from _section("Layers", _LAYERS, layers)
    yield from _section("Registry", _REGISTRY, map(_registry_row, evidence.images))
    yield f"\nStorage: {storage_text(evidence.storage)}."
    yield from _section("Gates", ("Image", "Gate", "Result", "What was found"), _gates(evidence))
    if evidence.check:
        yield f"\nChecks: {check_text(evidence.check)}."
        yield from _section("Checks", _CHECKS, map(_finding_row, evidence.check.findings))
    past = [_past_row(image) for image in evidence.images if image.history]
    yield from _section("History", _HISTORY, past)
    yield "\n## Not checked\n"
    yield from (f"- {escaped(gap)}" for gap in evidence.gaps)


def _section(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield a heading and a table; nothing where there are no rows."""
    rows = list(rows)
    if not rows:
        return
    yield f"\n## {title}\n"
    yield from table_lines(head, rows)


def _image_row(image: ImageFacts) -> tuple[str, ...]:
    sizes = [
        size_text(size) if image.digest else "" for size in (image.size_bytes, image.unpacked_bytes)
    ]
    first = (image.name, str(image.tier), image.status, why_built(image))
    return (*first, image.digest or "none", *sizes)


def _failure_rows(evidence: Evidence) -> Iterator[tuple[str, ...]]:
    for image in evidence.images:
        if failure := image.failure:
            skipped = ", ".join(evidence.held_back(image.name)) or "none"
            yield (image.name, failure.message, failure.hint or "no hint", skipped, failure.log)


def _time_row(image: ImageFacts, timing: Timing) -> tuple[str, ...]:
    times = (f"{timing.started_s:.3f}", f"{timing.duration_s:.3f}")
    waited = (timing.waited_for or "nothing", f"{timing.waited_s:.3f}")
    return (image.name, *times, *waited, "yes" if timing.is_critical else "")


def _layer_row(image: ImageFacts, layer: Layer) -> tuple[str, ...]:
    sizes = (size_text(layer.size_bytes), size_text(layer.unpacked_bytes))
    return (image.name, layer.what, layer.digest, *sizes)


def _registry_row(image: ImageFacts) -> tuple[str, ...]:
    published = image.published
    if published is None:
        return (image.name, f"none: {image.not_published}", "", "")
    tags = ", ".join(published.tags)
    return (image.name, published.reference, tags, size_text(published.size_bytes))


def _finding_row(finding: Finding) -> tuple[str, ...]:
    return (finding.rule, finding.severity, finding.image, finding.where, finding.message)


def _past_row(image: ImageFacts) -> tuple[str, ...]:
    return (image.name, str(len(image.history)), past_sizes(image), past_durations(image))


def _gates(evidence: Evidence) -> Iterator[tuple[str, ...]]:
    for image in evidence.images:
        if image.not_verified:
            yield (image.name, "all", "not checked", image.not_verified)
        for gate in image.gates:
            yield (image.name, gate.id, gate.result, gate.says)
