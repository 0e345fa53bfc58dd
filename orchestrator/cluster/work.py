"""The process of a job on a worker: `python -m orchestrator.cluster.work`.

It reads what to do as a line of standard input, and stops when that is closed: whoever holds its
other end is gone, or wants no more of it. What came of it goes to standard output, as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.app.building import BuildRun, build
from orchestrator.app.opened import open_workspace
from orchestrator.app.planning import Asking, BuildOptions, Deps
from orchestrator.app.pushing import PushOptions, push
from orchestrator.app.reporting import made_before
from orchestrator.elsewhere import Elsewhere
from orchestrator.errors import OrchError
from orchestrator.model import Platform
from orchestrator.oci.layout import Layout
from orchestrator.ports import Made, Outcome
from orchestrator.report.documents import outcome_document
from orchestrator.report.progress import SilentProgress
from orchestrator.report.push_progress import SilentPush
from orchestrator.select import Selection

_STOP_WITHIN_S = 5.0
_LOG_CHARACTERS = 200_000


def main() -> None:
    """Do one job."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else prints does not disturb what is answered
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        result = carry_out(job)
    except KeyboardInterrupt:
        result = {"status": "cancelled", "error": None}
    except OrchError as error:
        result = {"status": "failed", "error": _told(error)}
    answers.write(json.dumps(result))
    answers.flush()


def carry_out(job: dict[str, Any]) -> dict[str, Any]:
    """Build an image by itself, and publish it under the tag of its content.

    Documents about it are left to whoever has the workspace's commit.

    Raises:
        OrchError: The files are not those of the fingerprint, or a parent is not published.
    """
    opened, name = open_workspace(Path(job["root"])), job["image"]
    selection = Selection(names=(name,))
    options = BuildOptions(
        Platform.parse(job["platform"]),
        selection,
        jobs=job["jobs"],
        force=job["force"],
        retries=job["retries"],
        builders=tuple(job["builders"]),
        asking=Asking.SURELY,
        deps=Deps.REGISTRY,
    )
    run = build(opened, options, SilentProgress())
    outcome = run.outcomes[name]
    if outcome.step.fingerprint.digest != job["fingerprint"]:
        raise OrchError(
            f"{name} is not on the worker what it is here",
            hint="what it is made of changed meanwhile, or is a file that is not shipped: "
            "see docs/scaling.md",
        )
    made = _published(run, outcome) if outcome.digest else None
    digest = made.digest if made else ""
    return {
        **outcome_document(outcome, made),
        "digest": digest,
        "notes": run.notes,
        "log": _log(run, name),
    }


def _published(run: BuildRun, outcome: Outcome) -> Made:
    """Publish an image; return it with the digest that it has in the registry."""
    opened, step = run.planned.opened, outcome.step
    options = PushOptions(Selection(names=(step.image.name,)), tags=(), attest=False)
    pushed = push(opened, options, SilentPush())
    run.notes += pushed.notes
    if pushed.was_interrupted:
        raise KeyboardInterrupt
    (item,) = pushed.images
    if item.error is not None:
        raise item.error
    digests = {image.platform: image.manifest.digest for image in item.image.platforms}
    digest = digests[step.platform]
    if outcome.made:
        return replace(outcome.made, digest=digest)
    layout = Layout(opened.paths.layout)
    found = made_before(layout, Elsewhere(opened.paths.elsewhere, layout), digest)
    return found or Made(digest, 0, 0)


def _log(run: BuildRun, name: str) -> str:
    """Return the end of what a Dockerfile's build wrote."""
    file = run.planned.opened.paths.logs / f"{name}.log"
    if run.outcomes[name].step.image.build is None or not file.is_file():
        return ""
    return file.read_text("utf-8", "replace")[-_LOG_CHARACTERS:]


def _told(error: OrchError) -> dict[str, str]:
    return {"message": str(error), "hint": error.hint}


def _end_with_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_STOP_WITHIN_S)
    os._exit(1)


if __name__ == "__main__":
    main()
