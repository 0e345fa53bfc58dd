"""`orch report`: the reports that a workspace keeps, read back, and joined with its layout."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.app.check_report import KEPT_CHECK
from orchestrator.app.opened import Opened
from orchestrator.app.push_report import KEPT_PUSH
from orchestrator.app.reporting import KEPT_BUILD, made_before
from orchestrator.app.verify_report import KEPT_VERIFICATION
from orchestrator.elsewhere import Elsewhere
from orchestrator.errors import WorkspaceError
from orchestrator.evidence.facts import Evidence, Past
from orchestrator.evidence.gathering import Reports, gather
from orchestrator.history import History, Kind, Wanted
from orchestrator.oci.imported import imported_file
from orchestrator.oci.layout import Layout
from orchestrator.report.documents import layer_document
from orchestrator.select import Selection

_RUNS = 50
"""How many builds are looked back at."""

_AGAIN = "delete it; the next orch build, push, verify and check write their reports anew"


def evidence_of(opened: Opened, selection: Selection) -> Evidence:
    """Return what is known of the selected images of the last build that had something to do.

    What images hold that this build reused is read off the layout, now.

    Raises:
        WorkspaceError: There was no such build, or a report cannot be read.
        OrchError: The history cannot be read.
    """
    folder = opened.paths.reports
    build = _read(folder / KEPT_BUILD)
    if build is None:
        raise WorkspaceError(
            "there is no build to report on: none here had anything to do yet",
            hint="run: orch build; or orch build --force, where all is up to date",
        )
    try:
        others = [_read(folder / name) for name in (KEPT_PUSH, KEPT_VERIFICATION, KEPT_CHECK)]
        return _joined(opened, selection, build, others)
    except (KeyError, TypeError) as error:
        raise WorkspaceError(
            f"another version of orch wrote a report there, or it was altered ({error!r})",
            file=folder,
            hint=_AGAIN,
        ) from error


def _joined(
    opened: Opened,
    selection: Selection,
    build: dict[str, Any],
    others: Sequence[dict[str, Any] | None],
) -> Evidence:
    chosen = selection.choose(opened.graph)
    built = {row["name"] for row in build["images"]}
    if not built.intersection(chosen):
        raise WorkspaceError(
            f"the last build did not look at {', '.join(chosen)}",
            hint=f"it looked at {', '.join(sorted(built))}; run: orch build --force {chosen[0]}",
        )
    _read_reused(opened, build)
    return gather(
        Reports(build, *others),
        wanted=built if selection.is_everything else set(chosen),
        outside=[name for name in chosen if name not in built],
        past=_past(opened, {row["name"]: row["platform"] for row in build["images"]}),
        imported=_imported(opened, build),
        price=opened.workspace.settings.report.price,
    )


def _imported(opened: Opened, build: Mapping[str, Any]) -> dict[str, str]:
    """Return the digests in the layout of images that are in Docker, as far as they are there."""
    layout = Layout(opened.paths.layout)
    found = {}
    for row in build["images"]:
        file = imported_file(layout, row["digest"])
        if row["digest"] and file.is_file():
            found[row["digest"]] = file.read_text("utf-8")
    return found


def _past(opened: Opened, platforms: Mapping[str, str]) -> dict[str, list[Past]]:
    """Return when images were built on a platform, and what came of that, the first first."""
    found: dict[str, list[Past]] = {name: [] for name in platforms}
    wanted = Wanted(kinds=frozenset({Kind.BUILD}), limit=_RUNS)
    for run in reversed(list(History(opened.paths.database).find(wanted))):
        started = run.started.isoformat(timespec="seconds")
        for image in run.images:
            if image.status == "built" and platforms.get(image.name) == image.platform:
                past = Past(started, image.size_bytes, image.duration_s)
                found[image.name].append(past)
    return found


def _read(file: Path) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise WorkspaceError(
            f"is no report that can be read: {error}", file=file, hint=_AGAIN
        ) from error
    return document


def _read_reused(opened: Opened, build: dict[str, Any]) -> None:
    """Fill in what the images hold that the build reused: its kept report leaves that out."""
    layout = Layout(opened.paths.layout)
    elsewhere = Elsewhere(opened.paths.elsewhere, layout)
    for row in build["images"]:
        if row["status"] != "reused":
            continue
        made = made_before(layout, elsewhere, row["digest"])
        if made is not None:
            row["size_bytes"], row["unpacked_bytes"] = made.size_bytes, made.unpacked_bytes
            row["layers"] = [layer_document(layer, made) for layer in made.layers]
