"""`orch build --report`: a build as a document."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from orchestrator.app.building import BuildRun
from orchestrator.atomic import write_text
from orchestrator.elsewhere import Elsewhere
from orchestrator.errors import OrchError
from orchestrator.oci.layout import Layout
from orchestrator.ports import Made, Outcome, Status
from orchestrator.report.documents import outcome_document


def write_report(run: BuildRun, file: Path, push: dict[str, Any] | None = None) -> None:
    """Write a build's report, `orch.build/1`; with that of the push that followed.

    Raises:
        OrchError: The file cannot be written.
    """
    paths = run.planned.opened.paths
    layout = Layout(paths.layout)
    elsewhere = Elsewhere(paths.elsewhere, layout)
    document = {
        "schema": "orch.build/1",
        "run": run.run,
        "ok": run.ok,
        "started": run.started.isoformat(timespec="seconds"),
        "duration_s": round(run.duration_s, 3),
        "notes": run.notes,
        "images": [
            outcome_document(outcome, _made(layout, elsewhere, outcome), _log(run, outcome))
            for outcome in run.outcomes.values()
        ],
        "push": push,
    }
    write_text(file, json.dumps(document, indent=2) + "\n")


def _made(layout: Layout, elsewhere: Elsewhere, outcome: Outcome) -> Made | None:
    if outcome.made or outcome.status is not Status.REUSED:
        return outcome.made
    if not elsewhere.covers(outcome.digest):
        return _made_in_docker(outcome.digest)
    layers, _ = layout.read_image(outcome.digest)
    manifest = layout.read_json(outcome.digest)
    own = layout.blob_path(outcome.digest).stat().st_size + manifest["config"]["size"]
    return Made(
        outcome.digest,
        own + sum(layer.size_bytes for layer in layers),
        sum(layer.unpacked_bytes for layer in layers),
        tuple(layers),
        frozenset(layer.digest for layer in layers),
    )


def _made_in_docker(digest: str) -> Made | None:
    """Return what Docker says of an image that it keeps; nothing where it does not answer."""
    from orchestrator.engines.docker.engine import DockerEngine  # noqa: PLC0415 - slow

    try:
        with closing(DockerEngine()) as engine:
            image = engine.find_image(digest)
            if image is None:
                return None
            layers = engine.layers(image)
    except OrchError:
        return None
    held = frozenset(layer.digest for layer in layers)
    return Made(digest, image.size_bytes, image.size_bytes, layers, held)


def _log(run: BuildRun, outcome: Outcome) -> str:
    """Return where an image's log is, from the workspace's root; nothing where there is none."""
    if not outcome.attempts:
        return ""
    paths = run.planned.opened.paths
    return str((paths.logs / f"{outcome.step.image.name}.log").relative_to(paths.root))
