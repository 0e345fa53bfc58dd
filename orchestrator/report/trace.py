"""A build as spans of time, and these in the trace format of Chrome, which Perfetto opens.

Source: "Trace Event Format", JSON object format; complete, instant, flow and metadata events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.logs import Event
from orchestrator.ports import Outcome

_IMAGE = "image"
_ROUNDING_S = 0.001
"""Events say how long something took to a thousandth: no more than that do neighbours overlap."""

_PROCESS = 1


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took time, or happened at one moment; times are by the monotonic clock.

    `kind` is the noun of its event. `after` are the images that it had to wait for.
    """

    name: str
    kind: str
    start_s: float
    end_s: float
    facts: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    failed: str = ""


def spans_of(
    outcomes: Mapping[str, Outcome], parents: Mapping[str, Sequence[str]], events: Iterable[Event]
) -> list[Span]:
    """Return the images that were worked on, and what events tell of, by when they began."""
    tried = {name: outcome for name, outcome in outcomes.items() if outcome.attempts}
    spans = [_image_span(outcome, parents[name], tried) for name, outcome in tried.items()]
    told = {f"{_IMAGE}.{outcome.status.value}" for outcome in outcomes.values()}
    told.add(f"{_IMAGE}.started")
    spans += [_event_span(event) for event in events if event.name not in told]
    return sorted(spans, key=lambda span: (span.start_s, -span.end_s))


def _image_span(outcome: Outcome, parents: Sequence[str], tried: Mapping[str, Outcome]) -> Span:
    step = outcome.step
    ends = {name: _end_s(tried[name]) for name in parents if name in tried}
    facts: dict[str, Any] = {
        "status": outcome.status.value,
        "because": outcome.because,
        "attempts": outcome.attempts,
        "platform": step.platform.key,
        "fingerprint": step.fingerprint.digest,
        "digest": outcome.digest,
    }
    if ends:
        last = max(ends, key=lambda name: ends[name])
        waited_s = max(outcome.started_s - ends[last], 0.0)
        facts |= {"waited_for": last, "then_for_a_worker_s": round(waited_s, 6)}
    failed = str(outcome.error) if outcome.error else ""
    name, start_s = step.image.name, outcome.started_s
    return Span(name, _IMAGE, start_s, _end_s(outcome), facts, tuple(ends), failed)


def _end_s(outcome: Outcome) -> float:
    return outcome.started_s + outcome.duration_s


def _event_span(event: Event) -> Span:
    duration_s = float(event.fields.get("duration_s", 0.0))
    noun = event.name.partition(".")[0]
    subject = event.fields.get("file") or event.fields.get("image") or event.fields.get("what")
    name = f"{event.name} {subject}" if subject else event.name
    return Span(name, noun, event.at_s - duration_s, event.at_s, event.fields)


def trace_document(
    spans: Sequence[Span], began_s: float, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return spans as a trace; times count from `began_s`, and `facts` are about the whole.

    Each row is one worker: what is at work at the same time is in different rows. Arrows lead from
    an image to those that waited for it.
    """
    rows = _rows(spans)
    numbers = {row: number for number, row in enumerate(sorted(set(rows)), 1)}
    events = [_named("process_name", 0, "orch build")]
    events += [
        _named("thread_name", number, f"{kind} {lane}") for (kind, lane), number in numbers.items()
    ]
    for span, row in zip(spans, rows, strict=True):
        events.append(_slice(span, numbers[row], began_s))
    events += _arrows(spans, [numbers[row] for row in rows], began_s)
    return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": dict(facts)}


def _rows(spans: Iterable[Span]) -> list[tuple[str, int]]:
    """Return a row for each span: the first of its kind that is free when it begins."""
    ends: dict[str, list[float]] = {}
    rows = []
    for span in spans:
        lanes = ends.setdefault(span.kind, [])
        free = (lane for lane, end in enumerate(lanes) if end <= span.start_s + _ROUNDING_S)
        lane = next(free, len(lanes))
        lanes[lane : lane + 1] = [span.end_s]
        rows.append((span.kind, lane + 1))
    return rows


def _named(what: str, row: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": _PROCESS, "tid": row, "args": {"name": name}}


def _slice(span: Span, row: int, began_s: float) -> dict[str, Any]:
    event: dict[str, Any] = {
        "name": span.name,
        "cat": span.kind,
        "pid": _PROCESS,
        "tid": row,
        "ts": _micros(span.start_s - began_s),
        "args": dict(span.facts),
    }
    if span.end_s > span.start_s:
        return event | {"ph": "X", "dur": _micros(span.end_s - span.start_s)}
    return event | {"ph": "i", "s": "t"}


def _arrows(spans: Sequence[Span], rows: Sequence[int], began_s: float) -> Iterator[dict[str, Any]]:
    images = {
        span.name: (span, row) for span, row in zip(spans, rows, strict=True) if span.kind == _IMAGE
    }
    number = 0
    for span, row in images.values():
        for name in span.after:
            before, its_row = images[name]
            number += 1
            common = {"name": "waited for", "cat": "wait", "id": number, "pid": _PROCESS}
            # A moment before its end, as an arrow must begin within the slice.
            at = max(_micros(before.end_s - began_s) - 1, _micros(before.start_s - began_s))
            yield {**common, "ph": "s", "tid": its_row, "ts": at}
            end = {"ph": "f", "bp": "e", "tid": row, "ts": _micros(span.start_s - began_s)}
            yield {**common, **end}


def _micros(seconds: float) -> float:
    return round(seconds * 1e6, 1)
