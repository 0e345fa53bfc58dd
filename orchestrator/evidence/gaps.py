"""What is not known of a build, in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from orchestrator.evidence.facts import Check, ImageFacts


def find_gaps(
    images: Sequence[ImageFacts], outside: Sequence[str], check: Check | None
) -> tuple[str, ...]:
    """Return what was not checked, why, and of which images: a line for each reason and images."""
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for image in images:
        for gap in _gaps_of(image):
            names[gap].append(image.name)
    if outside:
        names["all of it", "the build did not look at it"] += outside
    joined: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (what, why), found in names.items():
        joined[why, ", ".join(found)].append(what)
    lines = (f"{', '.join(whats)}: {why}: {found}" for (why, found), whats in joined.items())
    return (*lines, *_gaps_of_check(check))


def _gaps_of(image: ImageFacts) -> Iterator[tuple[str, str]]:
    """Yield what is not known of an image, and why."""
    if image.not_published:
        yield "digest in a registry", image.not_published
    if image.not_verified:
        yield "gates", image.not_verified
    if image.digest and not image.size_bytes:
        yield "size", "not known"
    for gate in image.gates:
        if gate.result == "not-checked":
            yield f"gate {gate.id}", gate.says


def _gaps_of_check(check: Check | None) -> Iterator[str]:
    if check is None:
        yield "rules of orch check: not run since something was built in this workspace"
        return
    yield from (f"rule {rule}: {why}" for rule, why in check.not_run.items())
    changed = "whether files changed between that and the build"
    yield f"rules of orch check: run at {check.started}, {changed} is not known"
