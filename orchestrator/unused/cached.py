"""What the user's cache holds, as entries."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from orchestrator.scratch import SCRATCH, find_abandoned
from orchestrator.unused.entries import Entry

_DEEP = ("downloads", "segments", "layers")
_FLAT = ("blobs", "checked")
_UNPACKED = "interpreters"
_INDEXES = "debian/index"
_KEPT = ("", "wheelhouse/built", "wheelhouse/tools")
"""Folders of small files that stay; what was being written there may go."""
_LEFT_S = 86_400.0
"""For how long what a run left unfinished stays: a download is resumed where it stopped."""


def cache_entries(cache: Path, wanted: Collection[str], now_s: float) -> Iterator[Entry]:
    """Yield what of a cache may go; `wanted` are the sha256 of downloads that stay.

    What uv keeps is its own, and records of built wheels are small.
    """
    for name in _DEEP:
        for folder in _listed(cache / name):
            yield from _files(folder, wanted if name == "downloads" else (), now_s)
    for name in _FLAT:
        yield from _files(cache / name, (), now_s)
    yield from (
        entry for folder, _, _ in os.walk(cache / _INDEXES) for entry in _files(folder, (), now_s)
    )
    for name in _KEPT:
        yield from (entry for entry in _files(cache / name, (), now_s) if entry.left_over)
    for item in _listed(cache / _UNPACKED):
        yield _folder(item, now_s, is_left=item.name.startswith("."))
    abandoned = find_abandoned(cache)
    for item in _listed(cache / SCRATCH):
        is_left = item in abandoned
        size_bytes, used_s = size_below(item), item.lstat().st_mtime
        yield Entry(item, size_bytes, used_s, is_wanted=not is_left, left_over=is_left)


def size_below(folder: Path) -> int:
    """Return what the files below a folder weigh."""
    return sum(
        (Path(inner) / name).lstat().st_size
        for inner, _, names in os.walk(folder)
        for name in names
    )


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _files(folder: Path | str, wanted: Collection[str], now_s: float) -> Iterator[Entry]:
    try:
        items = sorted(os.scandir(folder), key=lambda item: item.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for item in items:
        if not item.is_file(follow_symlinks=False):
            continue
        status = item.stat(follow_symlinks=False)
        is_part = item.name.startswith((".", "unnamed-")) or item.name.endswith(".part")
        if is_part and status.st_mtime > now_s - _LEFT_S:
            continue
        yield Entry(
            Path(item.path),
            status.st_size,
            status.st_mtime,
            (status.st_dev, status.st_ino),
            status.st_nlink,
            is_wanted=item.name in wanted,
            left_over=is_part,
        )


def _folder(folder: Path, now_s: float, *, is_left: bool) -> Entry:
    used_s = folder.lstat().st_mtime
    is_old = used_s < now_s - _LEFT_S
    return Entry(
        folder,
        size_below(folder),
        used_s,
        is_wanted=is_left and not is_old,
        left_over=is_left and is_old,
    )
