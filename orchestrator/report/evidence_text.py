"""Evidence of a build for a terminal, and the words that other forms of it use too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from orchestrator.evidence.facts import Check, Evidence, ImageFacts, Storage
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
            skipped = ", ".join(evidence.held_back(image.name))
            yield from (f"    so skipped: {names}" for names in [skipped] if names)
        else:
            yield f"    why: {why_built(image)}"
        if image.published:
            yield f"    {image.published.reference}"
        for gate in image.gates:
            if gate.result == "failed":
                yield f"    {gate.result} {gate.id}: {gate.says}"
    if evidence.check:
        yield f"checks: {check_text(evidence.check)}"
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
        f"begun {evidence.started}, run {evidence.run}"
    )


def why_built(image: ImageFacts) -> str:
    """Return why an image was built, or why there is none."""
    if not image.digest:
        return image.because
    said = ", ".join(map(str, image.reasons)) or image.because
    return said or ("nothing changed" if image.status == "reused" else "")


def storage_text(storage: Storage) -> str:
    """Return what published images weigh, and what that costs where a price is set."""
    if not storage.images:
        return "none of these builds"
    counted = "1 image" if storage.images == 1 else f"{storage.images} images"
    text = f"{counted}, {format_bytes(storage.size_bytes)}"
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


def check_text(check: Check) -> str:
    """Return how many findings of which severity a check had, and when it was."""
    found = Counter(finding.severity for finding in check.findings)
    counts = [f"{number} {what}{'s' * (number > 1)}" for what, number in found.items()]
    aside = f", {check.suppressed} suppressed" if check.suppressed else ""
    return f"{', '.join(counts) or 'nothing found'}{aside}, at {check.started}"


def past_sizes(image: ImageFacts) -> str:
    """Return what an image weighed the first time on record, and the last."""
    first, last = image.history[0], image.history[-1]
    return f"{size_text(first.size_bytes)} → {size_text(last.size_bytes)}"


def past_durations(image: ImageFacts) -> str:
    """Return how long an image took the first time on record, and the last."""
    return f"{image.history[0].duration_s:.3f} s → {image.history[-1].duration_s:.3f} s"


def _facts(image: ImageFacts) -> str:
    if not image.digest:
        return ""
    parts = [image.digest[:_DIGEST], size_text(image.size_bytes)]
    if image.timing:
        parts.append(f"{image.timing.duration_s:.3f} s")
    return "  ".join(parts)
