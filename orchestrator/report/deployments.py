"""What `orch deploy` did to files, as lines of text and as a document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchestrator.deployments.outcomes import Deployed, DeployRun, Fate


def deploy_lines(run: DeployRun) -> Iterator[str]:
    """Yield a line for each image that is another one afterwards."""
    for item in run.images:
        if item.fate is Fate.CHANGED:
            use = item.intent.use
            yield f"{use.file}:{use.span.line}: {use.reference} -> {item.after}"


def left_lines(run: DeployRun) -> Iterator[str]:
    """Yield a line for each image of the workspace that was left as it is."""
    for item in run.images:
        if item.fate is Fate.LEFT and item.intent.image:
            use = item.intent.use
            yield f"{use.file}:{use.span.line}: {use.reference} is left: {item.intent.why}"


def deploy_summary(run: DeployRun, *, is_written: bool) -> str:
    """Return a run in a line."""
    count = {fate: sum(item.fate is fate for item in run.images) for fate in Fate}
    changed = "changed" if is_written else "to change"
    return (
        f"{count[Fate.CHANGED]} {changed} in {len(run.rewritten)} files, "
        f"{count[Fate.UNCHANGED]} as they should be, {count[Fate.LEFT]} left, "
        f"{count[Fate.FOREIGN]} of others, {count[Fate.FAILED]} failed"
    )


def deploy_document(run: DeployRun, *, is_written: bool) -> dict[str, Any]:
    """Return a run, `orch.deploy/1`."""
    return {
        "schema": "orch.deploy/1",
        "ok": run.ok,
        "written": is_written,
        "files": [file.name for file in run.rewritten],
        "images": [_image_document(item) for item in run.images],
        "notes": run.notes,
    }


def _image_document(item: Deployed) -> dict[str, Any]:
    use, pinned, error = item.intent.use, item.pinned, item.error
    return {
        "file": use.file,
        "line": use.span.line,
        "form": use.form.value,
        "resource": use.resource,
        "container": use.container,
        "image": item.intent.image,
        "status": item.fate.value,
        "because": item.intent.why,
        "before": use.reference,
        "after": item.after,
        "tag": pinned.tag if pinned else "",
        "digest": pinned.digest if pinned else "",
        "error": {"message": str(error), "hint": error.hint} if error else None,
    }
