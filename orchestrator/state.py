"""Records of finished builds and of verifications, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

from orchestrator.errors import OrchError, disk_error
from orchestrator.fingerprint import Fingerprint, Input
from orchestrator.plan import Recorded

SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS builds (
    image TEXT NOT NULL,
    platform TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    inputs TEXT NOT NULL,
    digest TEXT NOT NULL,
    duration_s REAL NOT NULL,
    PRIMARY KEY (image, platform)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS verifications (
    image TEXT NOT NULL,
    platform TEXT NOT NULL,
    digest TEXT NOT NULL,
    at TEXT NOT NULL,
    ok INTEGER NOT NULL,
    unpacked_bytes INTEGER NOT NULL,
    results TEXT NOT NULL,
    PRIMARY KEY (image, platform, digest)
) WITHOUT ROWID;
"""
_INSERT = "INSERT OR REPLACE INTO builds VALUES (?, ?, ?, ?, ?, ?)"
_INSERT_VERIFICATION = "INSERT OR REPLACE INTO verifications VALUES (?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of verifying an image; `at` is UTC in ISO 8601, `results` are by gate."""

    image: str
    platform: str
    digest: str
    at: str
    ok: bool
    unpacked_bytes: int
    results: Mapping[str, str]


class _UnusableError(Exception):
    """The database is damaged, or of a newer version."""


class State:
    """The database of one workspace; what it loses is built again, nothing worse.

    A database that cannot be used reads as empty, and `problem` says why; the first write puts
    it aside and begins a new one.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.problem = ""

    def read(self, platform: str) -> dict[str, Recorded]:
        """Return what is remembered of each image on a platform; nothing without a database."""
        query = "SELECT image, fingerprint, digest FROM builds WHERE platform = ?"
        try:
            rows = self._select(query, platform)
        except _UnusableError as error:
            self.problem = f"{self._file}: {error}; what it knew is built again"
            return {}
        return {
            image: Recorded(
                Fingerprint(fingerprint, _RecordedInputs(self, image, platform, fingerprint)),
                digest,
            )
            for image, fingerprint, digest in rows
        }

    def inputs(self, image: str, platform: str, fingerprint: str) -> tuple[Input, ...]:
        """Return what an image was made from; nothing if that is damaged or not known any more."""
        query = "SELECT inputs FROM builds WHERE platform = ? AND image = ? AND fingerprint = ?"
        try:
            rows = self._select(query, platform, image, fingerprint)
            return tuple(Input(*item) for (text,) in rows for item in json.loads(text))
        except (_UnusableError, ValueError, TypeError):
            return ()

    def write(
        self, image: str, platform: str, fingerprint: Fingerprint, digest: str, duration_s: float
    ) -> None:
        """Remember a build that is complete, in one transaction."""
        row = (
            image,
            platform,
            fingerprint.digest,
            json.dumps(list(fingerprint.inputs)),
            digest,
            duration_s,
        )
        self._write(_INSERT, row)

    def write_verification(self, done: Verification) -> None:
        """Remember what came of verifying an image, in place of what came of it before."""
        row = (
            done.image,
            done.platform,
            done.digest,
            done.at,
            done.ok,
            done.unpacked_bytes,
            json.dumps(done.results, sort_keys=True),
        )
        self._write(_INSERT_VERIFICATION, row)

    def last_passed(self, image: str, platform: str, digest: str) -> tuple[str, int] | None:
        """Return digest and unpacked bytes of the image that passed last; another if there is."""
        query = (
            "SELECT digest, unpacked_bytes FROM verifications WHERE platform = ? AND image = ? "
            "AND ok ORDER BY digest = ?, at DESC LIMIT 1"
        )
        try:
            return next(iter(self._select(query, platform, image, digest)), None)
        except _UnusableError:
            return None

    def _write(self, statement: str, row: tuple[Any, ...]) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(error, self._file.parent) from error
        try:
            self._insert(statement, row)
        except _UnusableError:
            self._put_aside()
            self._insert(statement, row)

    def durations(self, platform: str) -> Mapping[str, float]:
        """Return how long each image took to build last, in seconds."""
        query = "SELECT image, duration_s FROM builds WHERE platform = ?"
        try:
            return dict(self._select(query, platform))
        except _UnusableError:
            return {}

    def digests(self) -> frozenset[tuple[str, str]]:
        """Return name and digest of every image that is remembered, on any platform."""
        query = "SELECT image, digest FROM builds WHERE platform != ?"
        try:
            return frozenset((image, digest) for image, digest in self._select(query, ""))
        except _UnusableError:
            return frozenset()

    def _select(self, query: str, *values: str) -> list[Any]:
        if not self._file.is_file():
            return []
        with self._open() as database:
            return database.execute(query, values).fetchall()

    def _insert(self, statement: str, row: tuple[Any, ...]) -> None:
        with self._open() as database:
            database.execute(statement, row)

    def _put_aside(self) -> None:
        self._file.replace(self._file.with_suffix(".unusable"))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._file, timeout=30)) as database:
                self._migrate(database)
                with database:
                    yield database
        except sqlite3.OperationalError as error:
            hint = "is the disk full, or may it not be written to?"
            raise OrchError(f"the records: {error}", file=self._file, hint=hint) from error
        except sqlite3.DatabaseError as error:
            raise _UnusableError(f"the records cannot be read ({error})") from error

    def _migrate(self, database: sqlite3.Connection) -> None:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise _UnusableError(f"a newer orch wrote the records (version {version})")
        if version < SCHEMA_VERSION:
            database.executescript(_SCHEMA)
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


class _RecordedInputs(Sequence[Input]):
    """The inputs of a record, read when they are first asked for: few images have changed."""

    def __init__(self, state: State, *key: str) -> None:
        self._state = state
        self._key = key

    @cached_property
    def _inputs(self) -> tuple[Input, ...]:
        return self._state.inputs(*self._key)

    @overload
    def __getitem__(self, index: int) -> Input: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Input]: ...
    def __getitem__(self, index: int | slice) -> Input | Sequence[Input]:
        return self._inputs[index]

    def __len__(self) -> int:
        return len(self._inputs)
