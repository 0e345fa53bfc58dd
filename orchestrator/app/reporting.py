"""`orch build --report`: a build as a document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from orchestrator.app.building import BuildRun
from orchestrator.atomic import write_output, write_text
from orchestrator.elsewhere import Elsewhere
from orchestrator.errors import OrchError
from orchestrator.oci.layout import Layout
from orchestrator.paths import Paths
from orchestrator.ports import Made, Outcome, Status
from orchestrator.report.documents import outcome_document

KEPT_BUILD = "build.json"
"""The last build that had something to do, below the folder of reports."""


def write_report(run: BuildRun, file: Path, push: dict[str, Any] | None = None) -> None:
    """Write a build's report, `orch.build/1`; with that of the push that followed.

    Raises:
        OrchError: The file cannot be written.
    """
    layout, elsewhere = _places(run.planned.opened.paths)
    made = {
        name: made_before(layout, elsewhere, outcome.digest)
        for name, outcome in run.outcomes.items()
        if outcome.status is Status.REUSED
    }
    write_output(file, json.dumps(_document(run, made, push), indent=2) + "\n")


def keep_report(run: BuildRun) -> None:
    """Keep the report of a build for `orch report`, unless the build had nothing to do.

    Of images that were reused it says no sizes and layers: reading these of all images would take
    longer than building one, and `orch report` reads them where it is asked to.

    Raises:
        OrchError: The file cannot be written.
    """
    idle = {Status.REUSED, Status.UNAVAILABLE}
    if any(outcome.status not in idle for outcome in run.outcomes.values()):
        file = run.planned.opened.paths.reports / KEPT_BUILD
        write_text(file, json.dumps(_document(run, {}, None)))  # no indent: that takes ten times


def made_before(layout: Layout, elsewhere: Elsewhere, digest: str) -> Made | None:
    """Return what an image holds that earlier runs made; None where nobody can tell."""
    if not elsewhere.covers(digest):
        return _made_in_docker(digest)
    layers, _ = layout.read_image(digest)
    manifest = layout.read_json(digest)
    own = layout.blob_path(digest).stat().st_size + manifest["config"]["size"]
    return Made(
        digest,
        own + sum(layer.size_bytes for layer in layers),
        sum(layer.unpacked_bytes for layer in layers),
        tuple(layers),
        frozenset(layer.digest for layer in layers),
    )


def _places(paths: Paths) -> tuple[Layout, Elsewhere]:
    layout = Layout(paths.layout)
    return layout, Elsewhere(paths.elsewhere, layout)


def _document(
    run: BuildRun, made: Mapping[str, Made | None], push: dict[str, Any] | None
) -> dict[str, Any]:
    parents = run.planned.opened.graph.parents
    begins = [outcome.started_s for outcome in run.outcomes.values() if outcome.attempts]
    first_s = min(begins, default=0.0)
    return {
        "schema": "orch.build/1",
        "run": run.run,
        "ok": run.ok,
        "started": run.started.isoformat(timespec="seconds"),
        "duration_s": round(run.duration_s, 3),
        "notes": run.notes,
        "images": [
            outcome_document(
                outcome,
                outcome.made or made.get(name),
                _log(run, outcome),
                parents[name],
                first_s,
            )
            for name, outcome in run.outcomes.items()
        ],
        "push": push,
    }


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
