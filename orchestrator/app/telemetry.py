"""Spans as OpenTelemetry's, sent to the OTLP endpoint that the environment names.

Source: OpenTelemetry specification, "OTLP Exporter Configuration".
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.report.trace import Span

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.trace import Span as OtelSpan

_SERVICE = "orch"


def send_spans(
    spans: Sequence[Span], began_s: float, duration_s: float, facts: Mapping[str, Any]
) -> str:
    """Send spans below one of the whole run; return why that was impossible, or nothing.

    They are sent once, when all is over: a build waits for no collector. The exporter reads the
    endpoint, headers, certificates and its time limit from the environment.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415 - likewise
    except ImportError:
        return 'what sends it is not installed; run: pip install "orchestrator[otel]"'
    complaints = _Complaints()
    logger = logging.getLogger("opentelemetry")
    logger.addHandler(complaints)  # told as a warning of ours, instead of lines on standard error
    exporter = OTLPSpanExporter()
    try:
        result = exporter.export(_finished(spans, began_s, duration_s, facts))
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]  # the library has no type for it
        logger.removeHandler(complaints)
    if result is SpanExportResult.SUCCESS:
        return ""
    return complaints.last or "the endpoint did not take it"


def _finished(
    spans: Sequence[Span], began_s: float, duration_s: float, facts: Mapping[str, Any]
) -> Sequence[ReadableSpan]:
    from opentelemetry import trace  # noqa: PLC0415 - an extra, as below
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import (  # noqa: PLC0415
        InMemorySpanExporter,
    )

    kept = InMemorySpanExporter()
    provider = _provider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("orchestrator")
    clock = _Clock()
    root = tracer.start_span("orch build", start_time=clock.nanos(began_s))
    root.set_attributes(_attributes(facts))
    within = trace.set_span_in_context(root)
    images: dict[str, OtelSpan] = {}
    for span in spans:
        links = [trace.Link(images[name].get_span_context()) for name in span.after]
        started = tracer.start_span(
            span.name, within, links=links, start_time=clock.nanos(span.start_s)
        )
        started.set_attributes(_attributes({"kind": span.kind, **span.facts}))
        if span.failed:
            started.set_status(trace.StatusCode.ERROR, span.failed)
        started.end(clock.nanos(span.end_s))
        images.setdefault(span.name, started)
    if not facts["ok"]:
        root.set_status(trace.StatusCode.ERROR)
    root.end(clock.nanos(began_s + duration_s))
    return kept.get_finished_spans()


def _provider() -> TracerProvider:
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - likewise

    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    resource = Resource.create({} if named else {"service.name": _SERVICE})
    return TracerProvider(resource=resource, shutdown_on_exit=False)


def _attributes(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {f"orch.{name}": value for name, value in facts.items()}


class _Clock:
    """Tells what time it was when the monotonic clock stood so."""

    def __init__(self) -> None:
        self._zero_ns = time.time_ns() - time.monotonic_ns()

    def nanos(self, at_s: float) -> int:
        return self._zero_ns + int(at_s * 1e9)


class _Complaints(logging.Handler):
    """Keeps what was logged last."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()
