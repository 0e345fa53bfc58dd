"""Past runs as documents, as lines of JSON and as lines of text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from orchestrator.history import PastImage, PastRun
from orchestrator.report.text import format_bytes


def history_document(runs: Iterable[PastRun]) -> dict[str, Any]:
    """Return past runs, `orch.history/1`."""
    return {"schema": "orch.history/1", "runs": [run_document(run) for run in runs]}


def run_document(run: PastRun) -> dict[str, Any]:
    """Return a past run."""
    return {
        "run": run.run,
        "kind": run.kind.value,
        "started": run.started.isoformat(timespec="milliseconds"),
        "duration_s": run.duration_s,
        "result": run.result.value,
        "commit": run.commit,
        "hit_rate": run.hit_rate,
        "saved_s": run.saved_s,
        "saved_bytes": run.saved_bytes,
        "images": [_image_document(image) for image in run.images],
    }


def _image_document(image: PastImage) -> dict[str, Any]:
    return {name: getattr(image, name) for name in PastImage.__slots__}


def run_lines(runs: Iterable[PastRun]) -> Iterator[str]:
    """Return past runs as lines of JSON, each `orch.run/1`."""
    for run in runs:
        yield json.dumps({"schema": "orch.run/1", **run_document(run)})


def history_lines(runs: Iterable[PastRun], image: str = "") -> Iterator[str]:
    """Return past runs as lines of text; of one image, what came of it is below each."""
    for run in runs:
        yield "  ".join(_parts(run))
        for past in run.images if image else ():
            if past.name == image:
                yield f"    {_image_line(past)}"


def _parts(run: PastRun) -> Iterator[str]:
    yield f"{run.started:%Y-%m-%d %H:%M:%S}"
    yield run.run
    yield f"{run.kind.value:6} {run.result.value:11}"
    yield f"{run.duration_s:8.1f} s"
    counts = Counter(image.status for image in run.images)
    yield ", ".join(f"{count} {status}" for status, count in counts.items()) or "no images"
    if run.hit_rate is not None:
        yield f"{run.hit_rate:.0%} reused"
    saved = [f"{run.saved_s:.1f} s"] if run.saved_s else []
    saved += [format_bytes(run.saved_bytes)] if run.saved_bytes else []
    if saved:
        yield f"saved {', '.join(saved)}"


def _image_line(image: PastImage) -> str:
    parts = [f"{image.status} {image.name}", image.platform]
    parts += [image.digest[:19]] if image.digest else []
    parts += [format_bytes(image.size_bytes)] if image.size_bytes else []
    parts += [f"{image.duration_s:.1f} s"] if image.duration_s else []
    return "  ".join([*parts, image.because] if image.because else parts)
