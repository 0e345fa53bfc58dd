"""Reports of builds, pushes and verifications, written by hand, for `orch report`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def build_row(
    name: str, *parents: str, tier: int = 0, span: tuple[float, float] | None = None, **more: Any
) -> dict[str, Any]:
    """Return an image of `orch.build/1`; with a `span`, begin and duration, it was built."""
    return {
        "name": name,
        "platform": "linux/amd64",
        "tier": tier,
        "parents": list(parents),
        "status": "built" if span else "reused",
        "because": "",
        "reasons": [reason_row("file-changed", "/app/x")] if span else [],
        "fingerprint": f"f-{name}",
        "digest": f"sha256:{name}",
        "size_bytes": 1000,
        "unpacked_bytes": 3000,
        "started_s": span[0] if span else None,
        "duration_s": span[1] if span else 0.0,
        "attempts": 1 if span else 0,
        "layers": [layer_row(one) for one in (*parents, name)],
        "error": None,
        **more,
    }


def reason_row(code: str, subject: str = "", detail: str = "") -> dict[str, Any]:
    """Return a reason of `orch.build/1`."""
    return {"code": code, "subject": subject, "detail": detail, "old": None, "new": None}


def layer_row(image: str, size_bytes: int = 500) -> dict[str, Any]:
    """Return the layer that an image adds."""
    return {
        "digest": f"sha256:layer-{image}",
        "diff_id": f"sha256:diff-{image}",
        "size_bytes": size_bytes,
        "unpacked_bytes": 3 * size_bytes,
        "what": f"files of {image}",
        "reused": False,
    }


def failed_row(name: str, *parents: str, tier: int = 0, **more: Any) -> dict[str, Any]:
    """Return an image that failed after a second."""
    error = {"message": "it <broke> | twice", "hint": "mend it", "log": f".orch/logs/{name}.log"}
    nothing: dict[str, Any] = {"digest": "", "size_bytes": 0, "unpacked_bytes": 0, "layers": []}
    span = (1.0, 1.0)
    row = build_row(name, *parents, tier=tier, span=span, status="failed", error=error)
    return {**row, **nothing, "because": error["message"], **more}


def skipped_row(name: str, *parents: str, tier: int = 0, **more: Any) -> dict[str, Any]:
    """Return an image that was not tried."""
    nothing: dict[str, Any] = {"digest": "", "size_bytes": 0, "unpacked_bytes": 0, "layers": []}
    because = f"{parents[0]} failed"
    row = build_row(name, *parents, tier=tier, status="skipped", because=because, **nothing)
    return {**row, **more}


def build_of(rows: Sequence[dict[str, Any]], *, ok: bool = True) -> dict[str, Any]:
    """Return `orch.build/1`."""
    return {
        "schema": "orch.build/1",
        "run": "20260301-100000-a1b2c3",
        "ok": ok,
        "started": "2026-03-01T10:00:00+00:00",
        "duration_s": 12.5,
        "notes": [],
        "images": list(rows),
        "push": None,
    }


def push_of(*names: str, **more: Any) -> dict[str, Any]:
    """Return `orch.push/1` of images that were pushed."""
    rows = [
        {
            "name": name,
            "reference": f"registry.example.com/{name}@sha256:{name}",
            "status": "pushed",
            "digest": f"sha256:{name}",
            "tags": [{"tag": "latest", "status": "moved"}],
            "platforms": [{"platform": "linux/amd64", "fingerprint": f"f-{name}"}],
            "size_bytes": 1000,
            "error": None,
            **more,
        }
        for name in names
    ]
    return {
        "registry": "registry.example.com",
        "started": "2026-03-01T10:01:00+00:00",
        "images": rows,
    }


def check_of(*images: str, **more: Any) -> dict[str, Any]:
    """Return `orch.check/1` as it is kept, with a warning about each image."""
    finding = {"rule": "unused-base", "severity": "warning", "message": "it is <unused>"}
    place = {"file": "base/x/image.toml", "line": 3}
    return {
        "run": "20260301-095900-d4e5f6",
        "started": "2026-03-01T09:59:00+00:00",
        "images": 5,
        "not_run": {},
        "findings": [{**finding, **place, "image": image} for image in images],
        "suppressed": [{"rule": "x"}],
        **more,
    }


def verification_of(*names: str, **more: Any) -> dict[str, Any]:
    """Return `orch.verify/1` of images of which one gate passed and one was not checked."""
    gates = [
        {"id": "max-size", "title": "Small enough", "result": "passed", "says": "3.0 kB"},
        {"id": "starts", "title": "Starts", "result": "not-checked", "says": "--runtime none"},
    ]
    rows = [
        {
            "name": name,
            "platform": "linux/amd64",
            "digest": f"sha256:{name}",
            "gates": [{**gate, "evidence": {"size_bytes": 3000}, "limits": {}} for gate in gates],
            "size": {"components": [{"kind": "python", "name": "web", "unpacked_bytes": 2000}]},
            "error": None,
            **more,
        }
        for name in names
    ]
    return {"engine": "", "no_engine": "--runtime none", "images": rows}
