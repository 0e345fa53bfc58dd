"""Pushes as documents and as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.publish.findings import Finding, Verdict
from orchestrator.publish.outgoing import Attached, ImageDetails, Pushed, PushStatus, Transfer
from orchestrator.publish.promote import Promoted
from orchestrator.report.text import format_bytes, format_error

_SHOWN_AS = {Transfer.UPLOADED: "uploaded", Transfer.MOUNTED: "mounted", Transfer.SKIPPED: "there"}


def pushed_document(pushed: Pushed) -> dict[str, Any]:
    """Return one image of a push report."""
    image, error = pushed.image, pushed.error
    return {
        "name": image.name,
        "repository": str(image.repository),
        "reference": reference_of(pushed),
        "status": pushed.status.value,
        "digest": pushed.digest,
        "tags": [{"tag": tag, "status": status.value} for tag, status in pushed.tags.items()],
        "platforms": [
            {
                "platform": item.platform.key,
                "digest": item.manifest.digest,
                "size_bytes": item.size_bytes,
                "fingerprint": item.fingerprint,
            }
            for item in image.platforms
        ],
        "size_bytes": image.size_bytes,
        "blobs": {
            how.value: {"count": pushed.count_of(how), "bytes": pushed.bytes_of(how)}
            for how in Transfer
        },
        "beside_bytes": pushed.beside_bytes,
        "referrers": [_attached_document(item) for item in pushed.referrers],
        "retries": pushed.retries,
        "duration_s": round(pushed.duration_s, 3),
        "details": _details_document(pushed.details) if pushed.details else None,
        "scan": _verdict_document(pushed.verdict) if pushed.verdict else None,
        "error": {"message": str(error), "hint": error.hint} if error else None,
    }


def _attached_document(attached: Attached) -> dict[str, Any]:
    return {
        "platform": attached.platform.key if attached.platform else "",
        "kind": attached.kind,
        "artifact_type": attached.artifact_type,
        "digest": attached.digest,
        "size_bytes": attached.size_bytes,
        "status": "attached" if attached.is_new else "there",
    }


def _details_document(details: ImageDetails) -> dict[str, Any]:
    return {
        "pushed": details.pushed,
        "size_bytes": details.size_bytes,
        "tags": list(details.tags),
    }


def _verdict_document(verdict: Verdict) -> dict[str, Any]:
    """Return what scans of an image came to."""
    excepted = [
        {**_finding_document(finding), "until": exception.until, "reason": exception.reason}
        for finding, exception in verdict.excepted
    ]
    return {
        "status": verdict.status.value,
        "completed": verdict.completed,
        "threshold": verdict.threshold,
        "counts": dict(verdict.counts),
        "failing": [_finding_document(finding) for finding in verdict.failing],
        "excepted": excepted,
        "expired": [item.finding for item in verdict.expired],
    }


def _finding_document(finding: Finding) -> dict[str, Any]:
    return {
        "name": finding.name,
        "severity": finding.severity.value,
        "package": finding.package,
        "installed": finding.installed,
        "fixed": finding.fixed,
        "uri": finding.uri,
    }


def unavailable_document(name: str, why: str) -> dict[str, Any]:
    """Return an image of a push report that is not to be had here."""
    return {
        "name": name,
        "repository": "",
        "reference": "",
        "status": PushStatus.UNAVAILABLE.value,
        "digest": "",
        "tags": [],
        "platforms": [],
        "size_bytes": 0,
        "blobs": {how.value: {"count": 0, "bytes": 0} for how in Transfer},
        "beside_bytes": 0,
        "referrers": [],
        "retries": 0,
        "duration_s": 0.0,
        "details": None,
        "scan": None,
        "error": {"message": why, "hint": ""},
    }


def reference_of(pushed: Pushed) -> str:
    """Return `HOST/PREFIX/NAME@DIGEST`, or nothing where the image is not there."""
    is_there = pushed.digest and pushed.status is not PushStatus.PLANNED
    return f"{pushed.image.repository}@{pushed.digest}" if is_there else ""


def promotion_document(promoted: Sequence[Promoted], old: str, new: str) -> dict[str, Any]:
    """Return what was retagged, `orch.promote/1`."""
    return {
        "schema": "orch.promote/1",
        "ok": not any(item.error and not item.is_missing for item in promoted),
        "from": old,
        "to": new,
        "images": [
            {
                "name": item.name,
                "repository": str(item.repository),
                "digest": item.digest,
                "status": "missing" if item.is_missing else item.status.value,
                "error": {"message": str(item.error), "hint": item.error.hint}
                if item.error
                else None,
            }
            for item in promoted
        ],
    }


def format_pushed(pushed: Pushed) -> str:
    """Return what came of an image as one line, an error with its hint below."""
    text = f"{pushed.status.value} {pushed.image.name}"
    if pushed.error is not None:
        return format_error(text, pushed.error)
    if pushed.status is PushStatus.CANCELLED:
        return f"{text}: not tagged, as others failed"
    shown = [
        f"{format_bytes(pushed.bytes_of(how))} {word}"
        for how, word in _SHOWN_AS.items()
        if pushed.count_of(how)
    ]
    return f"{text}  {pushed.digest[:19]}  {', '.join(shown)}"


def format_push_summary(
    images: Sequence[Pushed], unavailable: Mapping[str, str], duration_s: float
) -> str:
    """Return the closing line of a push."""
    counts = dict.fromkeys(PushStatus, 0)
    for pushed in images:
        counts[pushed.status] += 1
    counts[PushStatus.UNAVAILABLE] = len(unavailable)
    parts = [f"{count} {status.value}" for status, count in counts.items() if count]
    sizes = {how: sum(pushed.bytes_of(how) for pushed in images) for how in Transfer}
    parts += [f"{format_bytes(size)} {_SHOWN_AS[how]}" for how, size in sizes.items() if size]
    return f"{', '.join(parts) or 'nothing to push'} in {duration_s:.1f} s"
