"""Evidence of a build for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from orchestrator.evidence.facts import Evidence, Failure, ImageFacts, Layer, Storage, Timing
from orchestrator.report.text import format_bytes

_DIGEST = len("sha256:") + 12
_STATUSES = ("built", "reused", "failed", "skipped", "cancelled", "unavailable")


def evidence_lines(evidence: Evidence) -> Iterator[str]:
    """Yield what is known, for a terminal: a line an image, then what is not known."""
    yield headline(evidence)
    for note in evidence.notes:
        yield f"note: {note}"
    for image in evidence.images:
        yield f"{image.status:<11}  {image.name}  {_facts(image)}".rstrip()
        if image.failure:
            yield f"    {image.failure.message}"
            yield from (f"    hint: {hint}" for hint in [image.failure.hint] if hint)
            yield from (f"    log: {log}" for log in [image.failure.log] if log)
        else:
            yield f"    why: {why_built(image)}"
        if image.published:
            yield f"    {image.published.reference}"
        for gate in image.gates:
            if gate.result == "failed":
                yield f"    {gate.result} {gate.id}: {gate.says}"
    if evidence.critical_path:
        yield f"critical path: {' > '.join(evidence.critical_path)}"
    yield f"in the registry: {storage_text(evidence.storage)}"
    for gap in evidence.gaps:
        yield f"not checked: {gap}"


def headline(evidence: Evidence) -> str:
    """Return what the build came to, when and for how long."""
    counts = [f"{count} {status}" for status in _STATUSES if (count := evidence.count(status))]
    verdict = "done" if evidence.ok else "not done"
    return (
        f"{verdict}: {', '.join(counts) or 'no images'} in {evidence.duration_s:.1f} s, "
        f"begun {evidence.started}"
    )


def why_built(image: ImageFacts) -> str:
    """Return why an image was built, or what else the build said of it."""
    if image.failure:
        return image.because
    said = ", ".join(map(str, image.reasons)) or image.because
    return said or ("nothing changed" if image.status == "reused" else "")


def storage_text(storage: Storage) -> str:
    """Return what published images weigh, and what that costs where a price is set."""
    if not storage.images:
        return "none of these builds"
    text = f"{storage.images} images, {format_bytes(storage.size_bytes)}"
    if storage.price is None or storage.per_month is None:
        return f"{text}; no price is set"
    price = storage.price
    return (
        f"{text}, {storage.per_month:.2f} {price.currency} a month "
        f"at {price.per_gb_month:g} {price.currency} for a GB"
    )


def size_text(size_bytes: int) -> str:
    """Return a size, or that it is not known."""
    return format_bytes(size_bytes) if size_bytes else "not known"


def gates_text(image: ImageFacts) -> str:
    """Return how many gates of an image came to what, or why there are none."""
    if image.not_verified:
        return f"not checked: {image.not_verified}"
    results = [gate.result for gate in image.gates]
    kinds = ("passed", "failed", "not-checked")
    counts = [f"{results.count(kind)} {kind}" for kind in kinds if kind in results]
    return ", ".join(counts) or "not checked: no gate concerns it"


def _facts(image: ImageFacts) -> str:
    if not image.digest:
        return ""
    parts = [image.digest[:_DIGEST], size_text(image.size_bytes)]
    if image.timing:
        parts.append(f"{image.timing.duration_s:.3f} s")
    return "  ".join(parts)


def evidence_markdown(evidence: Evidence) -> Iterator[str]:
    """Yield a Markdown page; every figure in it is one of the evidence's."""
    yield f"# Build of {evidence.started}"
    yield f"\n**{headline(evidence)}**\n"
    yield from (f"- {_escaped(note)}" for note in evidence.notes)
    yield from _section("Images", _IMAGES, map(_image_row, evidence.images))
    failed = [_failure_row(image, image.failure) for image in evidence.images if image.failure]
    yield from _section("What went wrong", ("Image", "Error", "What to do", "Log"), failed)
    timed = [_time_row(image, image.timing) for image in evidence.images if image.timing]
    yield from _section("Times", _TIMES, timed)
    if evidence.critical_path:
        yield f"\nCritical path: {' → '.join(evidence.critical_path)}"
    layers = [_layer_row(image, layer) for image, layer in evidence.layers()]
    yield from _section("Layers", _LAYERS, layers)
    yield from _section("Registry", _REGISTRY, map(_registry_row, evidence.images))
    yield f"\nStorage: {storage_text(evidence.storage)}."
    yield from _section("Gates", ("Image", "Gate", "Result", "What was found"), _gates(evidence))
    past = [_past_row(image) for image in evidence.images if image.history]
    yield from _section("History", _HISTORY, past)
    yield "\n## Not checked\n"
    yield from (f"- {_escaped(gap)}" for gap in evidence.gaps)


_IMAGES = ("Image", "Tier", "Status", "Why", "Digest", "Packed", "Unpacked")
_TIMES = ("Image", "Began, s", "Took, s", "Waited for", "Then waited, s", "Critical")
_LAYERS = ("First in", "Layer", "Digest", "Packed", "Unpacked")
_HISTORY = ("Image", "Builds on record", "Packed, first to last", "Took, first to last")
_REGISTRY = ("Image", "Digest read back", "Tags", "Weighs")


def _section(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield a heading and a table; nothing where there are no rows."""
    rows = list(rows)
    if not rows:
        return
    yield f"\n## {title}\n"
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield f"| {' | '.join(map(_escaped, row))} |"


def _escaped(text: str) -> str:
    """Return text that means itself in a cell of a Markdown table."""
    for character in "\\|`*_<[":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


def _image_row(image: ImageFacts) -> tuple[str, ...]:
    sizes = [size_text(size) if image.digest else "" for size in _sizes(image)]
    first = (image.name, str(image.tier), image.status, why_built(image))
    return (*first, image.digest or "none", *sizes)


def _sizes(image: ImageFacts) -> tuple[int, int]:
    return image.size_bytes, image.unpacked_bytes


def _failure_row(image: ImageFacts, failure: Failure) -> tuple[str, ...]:
    return (image.name, failure.message, failure.hint, failure.log)


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


def _past_row(image: ImageFacts) -> tuple[str, ...]:
    return (image.name, str(len(image.history)), past_sizes(image), past_durations(image))


def past_sizes(image: ImageFacts) -> str:
    """Return what an image weighed the first time on record, and the last."""
    first, last = image.history[0], image.history[-1]
    return f"{size_text(first.size_bytes)} → {size_text(last.size_bytes)}"


def past_durations(image: ImageFacts) -> str:
    """Return how long an image took the first time on record, and the last."""
    return f"{image.history[0].duration_s:.3f} s → {image.history[-1].duration_s:.3f} s"


def _gates(evidence: Evidence) -> Iterator[tuple[str, ...]]:
    for image in evidence.images:
        if image.not_verified:
            yield (image.name, "all", "not checked", image.not_verified)
        for gate in image.gates:
            yield (image.name, gate.id, gate.result, gate.says)
