"""Gates on what an image weighs, unpacked, by itself and against the last that passed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orchestrator.verify.components import Component
from orchestrator.verify.gate import Gate, Subject, Verdict, failed, not_checked, passed

_LARGEST = 10


def largest(subject: Subject) -> tuple[Component, ...]:
    """Return the ten biggest things in an image."""
    return subject.components[:_LARGEST]


def _max_size(subject: Subject) -> Verdict:
    limit, size = subject.gates.max_size_bytes, subject.unpacked_bytes
    measured = {"unpacked_bytes": size, "size_bytes": subject.size_bytes}
    if limit is None:
        return passed(f"{size / 1e6:.1f} MB unpacked, and no limit is set", **measured)
    limits = {"max_size_bytes": limit}
    says = f"{size / 1e6:.1f} MB unpacked, at most {limit / 1e6:.1f} MB"
    if size <= limit:
        return replace(passed(says, **measured), limits=limits)
    verdict = failed(f"{says}; {_biggest(subject)}", **measured)
    return replace(verdict, limits=limits)


def _max_growth(subject: Subject) -> Verdict:
    limit, former = subject.gates.max_growth_percent, subject.former
    limits = {} if limit is None else {"max_growth_percent": limit}
    if former is None:
        says = "no image of this name passed before on this machine"
        verdict = passed(f"{says}, and no limit is set") if limit is None else not_checked(says)
        return replace(verdict, limits=limits)
    grown = subject.unpacked_bytes - former.unpacked_bytes
    percent = 100 * grown / former.unpacked_bytes if former.unpacked_bytes else 0.0
    measured: dict[str, Any] = {
        "former_digest": former.digest,
        "former_unpacked_bytes": former.unpacked_bytes,
        "growth_bytes": grown,
        "growth_percent": round(percent, 2),
    }
    says = f"{percent:+.1f} % ({grown / 1e6:+.1f} MB) against {former.digest[:19]}"
    if limit is None:
        return passed(f"{says}, and no limit is set", **measured)
    if percent <= limit:
        return replace(passed(f"{says}, at most {limit:g} %", **measured), limits=limits)
    verdict = failed(f"{says}, at most {limit:g} %; {_biggest(subject)}", **measured)
    return replace(verdict, limits=limits)


def _biggest(subject: Subject) -> str:
    rows = (f"{item.name} {item.size_bytes / 1e6:.1f} MB" for item in largest(subject)[:3])
    return f"the biggest: {', '.join(rows)}"


SIZE_GATES = (
    Gate("max-size", "the image weighs no more than it may", _max_size),
    Gate("max-growth", "it did not grow more than it may since it passed last", _max_growth),
)
