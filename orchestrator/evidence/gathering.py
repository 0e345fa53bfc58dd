"""Reports of a build, a push and a verification, joined into one `Evidence`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from orchestrator.evidence.facts import (
    Check,
    Component,
    Evidence,
    Failure,
    Finding,
    GateFact,
    ImageFacts,
    Layer,
    Past,
    Published,
    Reason,
    Storage,
    Timing,
)
from orchestrator.evidence.gaps import find_gaps
from orchestrator.evidence.timeline import critical_path, time_images
from orchestrator.model import StoragePrice

Document = Mapping[str, Any]

_NEVER_PUSHED = "not pushed from this workspace yet"
_NOT_THIS = "the last push sent another build of it"
_NEVER_VERIFIED = "not verified in this workspace yet"
_OTHER_VERIFIED = "the last verification was of another build of it"
_NO_IMAGE = "there is no image"
_HAS_IMAGE = {"built", "reused"}


@dataclass(frozen=True, slots=True)
class Reports:
    """What is joined: the report of a build, and the last ones of the workspace of other verbs.

    `push` and `verification` are of whatever build: what they say counts for an image only if its
    fingerprint, or its digest, is the build's. `check` is about files, whenever it was.
    """

    build: Document
    push: Document | None = None
    verification: Document | None = None
    check: Document | None = None


def gather(
    reports: Reports,
    *,
    wanted: Collection[str],
    outside: Sequence[str] = (),
    past: Mapping[str, Sequence[Past]] = MappingProxyType({}),
    imported: Mapping[str, str] = MappingProxyType({}),
    price: StoragePrice | None = None,
) -> Evidence:
    """Return what the reports say of the images wanted.

    Times are of the whole build, also where few images are wanted. `past` has earlier builds by
    image, `imported` the digests in the layout of images that are in Docker.

    Raises:
        KeyError, TypeError: A report is none.
    """
    build, push, verification = reports.build, reports.push, reports.verification
    timings = _timings(build["images"])
    pushed = {row["name"]: row for row in push["images"]} if push is not None else None
    judged = (
        {(row["name"], row["platform"]): row for row in verification["images"]}
        if verification is not None
        else None
    )
    images = tuple(
        ImageFacts(
            **_own(row),
            timing=timings.get(row["name"]),
            **_published(row, pushed),
            **_verified(row, judged, imported),
            history=tuple(past.get(row["name"], ())),
        )
        for row in build["images"]
        if row["name"] in wanted
    )
    found = _check(reports.check, wanted) if reports.check is not None else None
    return Evidence(
        run=build["run"],
        started=build["started"],
        duration_s=build["duration_s"],
        ok=build["ok"],
        notes=tuple(build["notes"]),
        images=images,
        critical_path=critical_path(timings),
        outside=tuple(outside),
        pushed=f"{push['registry']} at {push['started']}" if push else "",
        verified_with=_verified_with(verification),
        check=found,
        storage=_storage(images, price),
        gaps=find_gaps(images, outside, found),
    )


def _timings(rows: Sequence[Document]) -> Mapping[str, Timing]:
    spans = {
        row["name"]: (row["started_s"], row["duration_s"])
        for row in rows
        if row["started_s"] is not None
    }
    return time_images(spans, {row["name"]: row["parents"] for row in rows})


def _own(row: Document) -> dict[str, Any]:
    """Return what the report of the build says of an image."""
    same = ("name", "platform", "tier", "status", "because", "fingerprint", "digest")
    sizes = ("size_bytes", "unpacked_bytes", "attempts")
    error = row["error"]
    return {
        **{key: row[key] for key in (*same, *sizes)},
        "parents": tuple(row["parents"]),
        "reasons": tuple(
            Reason(item["code"], item["subject"], item["detail"]) for item in row["reasons"]
        ),
        "layers": tuple(
            Layer(
                item["digest"],
                item["what"],
                item["size_bytes"],
                item["unpacked_bytes"],
                item["reused"],
            )
            for item in row["layers"]
        ),
        "failure": Failure(error["message"], error["hint"], error["log"]) if error else None,
    }


def _published(row: Document, pushed: Mapping[str, Document] | None) -> dict[str, Any]:
    if row["status"] not in _HAS_IMAGE:
        return {"not_published": _NO_IMAGE}
    found = (pushed or {}).get(row["name"])
    if found is None:
        return {"not_published": _NEVER_PUSHED if pushed is None else "not part of the last push"}
    if not found["reference"]:
        why = found["error"]["message"] if found["error"] else found["status"]
        return {"not_published": f"the last push did not publish it: {why}"}
    if row["fingerprint"] not in {item["fingerprint"] for item in found["platforms"]}:
        return {"not_published": _NOT_THIS}
    tags = tuple(item["tag"] for item in found["tags"] if item["status"] in {"moved", "unchanged"})
    keys = ("reference", "digest", "status", "size_bytes")
    return {"published": Published(**{key: found[key] for key in keys}, tags=tags)}


def _verified(
    row: Document,
    judged: Mapping[tuple[str, str], Document] | None,
    imported: Mapping[str, str],
) -> dict[str, Any]:
    if row["status"] not in _HAS_IMAGE:
        return {"not_verified": _NO_IMAGE}
    found = (judged or {}).get((row["name"], row["platform"]))
    if found is None:
        never = judged is None
        return {"not_verified": _NEVER_VERIFIED if never else "not part of the last verification"}
    if found["error"]:
        return {"not_verified": f"it could not be judged: {found['error']['message']}"}
    if found["digest"] not in {row["digest"], imported.get(row["digest"])}:
        return {"not_verified": _OTHER_VERIFIED}
    keys = ("id", "title", "result", "says", "evidence", "limits")
    components = found["size"]["components"] if found["size"] else ()
    return {
        "gates": tuple(GateFact(*(item[key] for key in keys)) for item in found["gates"]),
        "components": tuple(
            Component(item["kind"], item["name"], item["unpacked_bytes"]) for item in components
        ),
    }


def _verified_with(verification: Document | None) -> str:
    if verification is None:
        return ""
    engine = verification["engine"]
    why = verification["no_engine"]
    return f"Docker engine {engine}" if engine else f"no container was run: {why or 'not asked'}"


def _storage(images: Sequence[ImageFacts], price: StoragePrice | None) -> Storage:
    published = [image.published for image in images if image.published]
    return Storage(len(published), sum(item.size_bytes for item in published), price)


def _check(check: Document, wanted: Collection[str]) -> Check:
    """Return what a check found in the images wanted, and in what belongs to no image."""
    keys = ("rule", "severity", "message", "image", "file", "line")
    findings = (
        Finding(*(row[key] for key in keys))
        for row in check["findings"]
        if not row["image"] or row["image"] in wanted
    )
    suppressed = len(check["suppressed"])
    return Check(
        check["started"], check["images"], tuple(findings), suppressed, dict(check["not_run"])
    )
