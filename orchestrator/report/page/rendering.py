"""The page put together: one template, its numbers, and the evidence as data for its script."""

from __future__ import annotations

from typing import Any

from orchestrator.evidence.facts import Evidence
from orchestrator.report import evidence_text
from orchestrator.report.evidence import evidence_document
from orchestrator.report.page.drawings import (
    draw_bars,
    draw_components,
    draw_graph,
    draw_layers,
    draw_plots,
)

_COMPONENTS = 15


def format_page(evidence: Evidence) -> str:
    """Return evidence as an HTML page that asks for nothing else.

    Everything that stands in it is escaped by the template engine; the data too, so that nothing
    in it can end the script that holds it.
    """
    import jinja2  # noqa: PLC0415 - only pages need it

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("orchestrator.report.page", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        evidence=evidence,
        text=evidence_text,
        graph=draw_graph(evidence.images),
        bars=draw_bars(evidence.images),
        layers=draw_layers(evidence),
        components=draw_components(evidence.images),
        plots=draw_plots(evidence.images),
        data=_data(evidence),
    )


def _data(evidence: Evidence) -> dict[str, Any]:
    """Return the document with the heaviest components of each image alone: there are thousands."""
    document = evidence_document(evidence)
    for image in document["images"]:
        heaviest = sorted(image["components"], key=lambda item: -item["unpacked_bytes"])
        image["components"] = heaviest[:_COMPONENTS]
    return document
