"""Evidence of a build as a document, `orch.evidence/1`; keys are only ever added."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from orchestrator.evidence.facts import Check, Evidence, ImageFacts, Storage


def evidence_document(evidence: Evidence) -> dict[str, Any]:
    """Return all that is known of a build and what followed."""
    return {
        "schema": "orch.evidence/1",
        "run": evidence.run,
        "ok": evidence.ok,
        "started": evidence.started,
        "duration_s": evidence.duration_s,
        "notes": list(evidence.notes),
        "critical_path": list(evidence.critical_path),
        "pushed": evidence.pushed,
        "verified_with": evidence.verified_with,
        "check": _check(evidence.check) if evidence.check else None,
        "storage": _storage(evidence.storage),
        "not_checked": list(evidence.gaps),
        "outside": list(evidence.outside),
        "images": [_image(image) for image in evidence.images],
    }


def _check(check: Check) -> dict[str, Any]:
    document = asdict(check)
    return {**document, "findings": list(document["findings"])}


def _storage(storage: Storage) -> dict[str, Any]:
    price = storage.price
    return {
        "images": storage.images,
        "size_bytes": storage.size_bytes,
        "per_gb_month": price.per_gb_month if price else None,
        "currency": price.currency if price else "",
        "per_month": round(storage.per_month, 4) if storage.per_month is not None else None,
    }


def _image(image: ImageFacts) -> dict[str, Any]:
    document = asdict(image)
    document["error"] = document.pop("failure")
    for key in ("parents", "reasons", "layers", "gates", "components", "history"):
        document[key] = list(document[key])
    for layer in document["layers"]:
        layer["reused"] = layer.pop("is_reused")
    return document
