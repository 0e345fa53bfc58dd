"""Files that are kept under the sha256 of their bytes: downloads, layers, blobs of images."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from orchestrator.fsck.finding import Fault, Finding, Seen, Where, unreadable
from orchestrator.paths import Paths

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Kept:
    """A file whose name is the sha256 of its bytes; one `inode` may have several names."""

    where: Where
    path: Path
    inode: tuple[int, int]
    size_bytes: int


def find_contents(paths: Paths) -> list[Kept]:
    """Return what is kept under a sha256 in the cache and in the layout."""
    places = (
        (Where.CACHE, paths.downloads, "??/*"),
        (Where.CACHE, paths.cache / "blobs", "*"),
        (Where.LAYOUT, paths.layout / "blobs/sha256", "*"),
    )
    return [kept for place in places for kept in _find(*place)]


def _find(where: Where, folder: Path, pattern: str) -> Iterator[Kept]:
    for path in sorted(folder.glob(pattern)):
        if not _SHA256.fullmatch(path.name):
            continue  # half of a download, or what a run is writing
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        yield Kept(where, path, (status.st_dev, status.st_ino), status.st_size)


def check_contents(
    contents: Iterable[Kept], on_bytes: Callable[[int], None], jobs: int
) -> list[Finding]:
    """Find files with other bytes than their name says; a layer with two names is read once.

    `on_bytes` is told of what was read, by several threads.
    """
    by_inode: dict[tuple[int, int], list[Kept]] = {}
    for kept in contents:
        by_inode.setdefault(kept.inode, []).append(kept)
    with ThreadPoolExecutor(jobs) as pool:
        found = pool.map(lambda group: _check(group, on_bytes), by_inode.values())
        return [finding for findings in found for finding in findings]


def _check(group: Sequence[Kept], on_bytes: Callable[[int], None]) -> list[Finding]:
    digest = hashlib.sha256()
    try:
        with group[0].path.open("rb", 0) as file:
            inode = os.fstat(file.fileno()).st_ino
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                on_bytes(len(chunk))
    except FileNotFoundError:
        return []  # another run let go of it meanwhile
    except OSError as error:
        return [unreadable(kept.where, kept.path, error.strerror) for kept in group]
    return [
        _damaged(kept, inode, digest.hexdigest())
        for kept in group
        if kept.path.name != digest.hexdigest()
    ]


def _damaged(kept: Kept, inode: int, found: str) -> Finding:
    what = f"has other bytes than its name says: their sha256 is {found}"
    return Finding(kept.where, Fault.DAMAGED, kept.path, what, (Seen(kept.path, inode),))
