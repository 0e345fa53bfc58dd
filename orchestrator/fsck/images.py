"""The layout's names: each must lead to a whole image (OCI specification, image-layout.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from orchestrator.elsewhere import Elsewhere
from orchestrator.errors import AssemblyError
from orchestrator.fsck.finding import Fault, Finding, Where, unreadable
from orchestrator.oci.image import INDEX_MEDIA_TYPE
from orchestrator.oci.layout import REF_NAME, Layout
from orchestrator.paths import Paths

_REPOSITORY = re.compile(r"[^/\s]+/\S+")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ODD = (ValueError, KeyError, TypeError, AttributeError)


def check_images(paths: Paths, bad: Collection[Path]) -> Iterator[Finding]:
    """Find names that lead to nothing whole, and notes about layers that say nothing.

    `bad` are files of the layout that are known not to be what they should.
    """
    layout = Layout(paths.layout)
    yield from _check_names(layout, Elsewhere(paths.elsewhere, layout), bad)
    yield from _check_notes(paths.elsewhere, _REPOSITORY)
    yield from _check_notes(paths.state / "imported", _DIGEST)


def _check_names(layout: Layout, elsewhere: Elsewhere, bad: Collection[Path]) -> Iterator[Finding]:
    index = layout.folder / "index.json"
    try:
        entries = json.loads(index.read_bytes())["manifests"]
        named = [(entry["annotations"].get(REF_NAME, ""), entry) for entry in entries]
    except FileNotFoundError:
        return  # nothing was ever named
    except OSError as error:
        yield unreadable(Where.LAYOUT, index, error.strerror)
        return
    except _ODD:
        yield unreadable(Where.LAYOUT, index, "it is no index of images")
        return
    if not _is_marked(layout):
        what = "does not say that this is a layout of version 1.0.0"
        path = layout.folder / "oci-layout"
        yield Finding(Where.LAYOUT, Fault.MISSING, path, what)
    for name, entry in named:
        if name and (lacks := _lacking(layout, elsewhere, entry, bad)):
            what = f"names {name}, which lacks {lacks}"
            yield Finding(Where.LAYOUT, Fault.MISSING, index, what, unname=name)


def _is_marked(layout: Layout) -> bool:
    try:
        mark = json.loads((layout.folder / "oci-layout").read_bytes())
        return bool(mark["imageLayoutVersion"] == "1.0.0")
    except (OSError, *_ODD):
        return False


def _lacking(
    layout: Layout, elsewhere: Elsewhere, entry: dict[str, Any], bad: Collection[Path]
) -> str:
    """Return what of an image is neither in the layout nor known to be in a registry."""
    try:
        digest = entry["digest"]
        if not _is_whole(layout, entry, bad):
            return str(digest)
        document = layout.read_json(digest)
        if entry["mediaType"] == INDEX_MEDIA_TYPE:
            inner = (_lacking(layout, elsewhere, item, bad) for item in document["manifests"])
            return next(filter(None, inner), "")
        if not _is_whole(layout, document["config"], bad):
            return str(document["config"]["digest"])
        absent = (item["digest"] for item in document["layers"] if not _is_whole(layout, item, bad))
        return next((item for item in absent if not elsewhere.place(item)), "")
    except (AssemblyError, *_ODD):
        return "a manifest that can be read"


def _is_whole(layout: Layout, descriptor: dict[str, Any], bad: Collection[Path]) -> bool:
    path = layout.blob_path(descriptor["digest"])
    try:
        return path.stat().st_size == descriptor["size"] and path not in bad
    except OSError:
        return False


def _check_notes(folder: Path, wanted: re.Pattern[str]) -> Iterator[Finding]:
    for file in sorted(folder.glob("sha256-*")):
        try:
            if not wanted.fullmatch(file.read_text("utf-8")):
                yield unreadable(Where.LAYOUT, file, "it is not what orch writes")
        except FileNotFoundError:
            continue
        except OSError as error:
            yield unreadable(Where.LAYOUT, file, error.strerror)
        except UnicodeDecodeError:
            yield unreadable(Where.LAYOUT, file, "it is no text")
