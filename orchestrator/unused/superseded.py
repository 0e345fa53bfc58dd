"""What an OCI layout holds that no image wants any more, as entries."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from orchestrator.errors import AssemblyError
from orchestrator.oci.layout import LOCK, Layout
from orchestrator.unused.entries import Entry


def reached_blobs(layout: Layout, roots: Iterable[str]) -> frozenset[str]:
    """Return the digests that images consist of: their manifests, configs and layers.

    Roots are digests of manifests and indexes. What a layout lacks of them is passed over: it
    may have been made elsewhere, or for another platform.
    """
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        digest = waiting.pop()
        if digest in found:
            continue
        found.add(digest)
        try:
            document = layout.read_json(digest)
            found |= {item["digest"] for item in document.get("layers", ())}
            found |= {item["digest"] for item in [document.get("config")] if item}
            waiting += [item["digest"] for item in document.get("manifests", ())]
        except (AssemblyError, KeyError, TypeError, AttributeError):
            continue
    return frozenset(found)


def layout_entries(layout: Layout, reached: Collection[str]) -> Iterator[Entry]:
    """Yield all blobs, of which those that are reached are wanted, and what was never finished.

    Nobody may be at work in the layout: what is just being made is not reached either.
    """
    for item in _scanned(layout.folder / "blobs/sha256"):
        yield _entry(item, is_wanted=f"sha256:{item.name}" in reached)
    for item in _scanned(layout.folder):
        if item.name.startswith(".") and item.name != LOCK:
            yield _entry(item)


def note_entries(folder: Path, wanted: Collection[str]) -> Iterator[Entry]:
    """Yield the files of a folder, each named `sha256-...` by what it is a note about."""
    for item in _scanned(folder):
        if item.name.startswith("sha256-"):
            yield _entry(item, is_wanted=item.name.replace("-", ":", 1) in wanted)


def _scanned(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return sorted(os.scandir(folder), key=lambda item: item.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _entry(item: os.DirEntry[str], *, is_wanted: bool = False) -> Entry:
    status = item.stat(follow_symlinks=False)
    return Entry(
        Path(item.path),
        status.st_size,
        status.st_mtime,
        (status.st_dev, status.st_ino),
        status.st_nlink if item.is_file(follow_symlinks=False) else 1,
        is_wanted=is_wanted,
        left_over=item.name.startswith("."),
    )
