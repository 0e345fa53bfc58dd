"""The file-digest cache: what a file holds, remembered until the file may have changed."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from orchestrator.errors import WorkspaceError

_SETTLED_NS = 2_000_000_000
"""How old a file's times must be to be trusted: the coarsest clock of a file system in use."""
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    sha256 TEXT NOT NULL
) WITHOUT ROWID
"""

_Times = tuple[int, int, int, int]


class CachedDigests:
    """Digests of a workspace's files, from an earlier look where nothing moved since.

    A file whose times are younger than the clock's tick could change again unseen (git calls
    this racy): its digest is used and not kept. Losing the cache costs time and nothing else,
    so a cache that cannot be read is begun anew, and one that cannot be written is left.
    """

    def __init__(self, database: Path, root: Path) -> None:
        self._database = database
        self._prefix = len(str(root)) + 1
        self._known = self._read()
        self._new: dict[str, tuple[_Times, str]] = {}

    def sha256_of(self, path: str, status: os.stat_result) -> str:
        """Return a file's digest; `status` is what the file system says of it now.

        Raises:
            OSError: It cannot be read.
            WorkspaceError: It changes while it is being read, twice.
        """
        key, times = path[self._prefix :], _times_of(status)
        known = self._known.get(key)
        if known is not None and known[0] == times:
            return known[1]
        for _ in range(2):
            looked_ns = time.time_ns()
            digest, before, after = _read_digest(path)
            if before == after:
                if max(before[1], before[2]) < looked_ns - _SETTLED_NS:
                    self._new[key] = (before, digest)
                return digest
        raise WorkspaceError("changes while it is being read", file=path, hint="run again")

    def save(self) -> None:
        """Keep what was found out, in one transaction."""
        if not self._new:
            return
        rows = [(key, *times, digest) for key, (times, digest) in self._new.items()]
        try:
            self._database.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._database, timeout=10)) as database, database:
                database.execute(_SCHEMA)
                database.execute(f"PRAGMA user_version = {_VERSION}")
                database.executemany("INSERT OR REPLACE INTO files VALUES (?,?,?,?,?,?)", rows)
        except (OSError, sqlite3.Error):
            return
        self._new.clear()

    def _read(self) -> dict[str, tuple[_Times, str]]:
        if not self._database.is_file():
            return {}
        try:
            with closing(sqlite3.connect(self._database, timeout=10)) as database:
                if database.execute("PRAGMA user_version").fetchone() == (_VERSION,):
                    rows = database.execute("SELECT * FROM files")
                    return {row[0]: (row[1:5], row[5]) for row in rows}
        except sqlite3.OperationalError:
            return {}
        except sqlite3.DatabaseError:
            pass
        self._database.unlink(missing_ok=True)
        return {}


def _times_of(status: os.stat_result) -> _Times:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _read_digest(path: str) -> tuple[str, _Times, _Times]:
    with open(path, "rb") as file:  # noqa: PTH123 - paths are text here, for speed
        before = _times_of(os.fstat(file.fileno()))
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, before, _times_of(os.fstat(file.fileno()))
