"""Records of finished builds, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from orchestrator.errors import OrchError, disk_error
from orchestrator.fingerprint import Fingerprint, Input
from orchestrator.plan import Recorded

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS builds (
    image TEXT NOT NULL,
    platform TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    inputs TEXT NOT NULL,
    digest TEXT NOT NULL,
    duration_s REAL NOT NULL,
    PRIMARY KEY (image, platform)
) WITHOUT ROWID
"""


class State:
    """The database of one workspace; what it loses is built again, nothing worse."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self, platform: str) -> dict[str, Recorded]:
        """Return what is remembered of each image on a platform; nothing without a database.

        Raises:
            OrchError: The database was written by a newer version, or cannot be read.
        """
        if not self._file.is_file():
            return {}
        with self._open() as database:
            rows = database.execute(
                "SELECT image, fingerprint, inputs, digest FROM builds WHERE platform = ?",
                (platform,),
            ).fetchall()
            return {
                image: Recorded(Fingerprint(fingerprint, _inputs_of(inputs)), digest)
                for image, fingerprint, inputs, digest in rows
            }

    def write(
        self, image: str, platform: str, fingerprint: Fingerprint, digest: str, duration_s: float
    ) -> None:
        """Remember a build that is complete, in one transaction."""
        row = (
            image,
            platform,
            fingerprint.digest,
            json.dumps(fingerprint.inputs),
            digest,
            duration_s,
        )
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(error, self._file.parent) from error
        with self._open() as database:
            database.execute("INSERT OR REPLACE INTO builds VALUES (?, ?, ?, ?, ?, ?)", row)

    def durations(self, platform: str) -> Mapping[str, float]:
        """Return how long each image took to build last, in seconds."""
        if not self._file.is_file():
            return {}
        with self._open() as database:
            query = "SELECT image, duration_s FROM builds WHERE platform = ?"
            return dict(database.execute(query, (platform,)).fetchall())

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._file, timeout=30)) as database:
                self._migrate(database)
                with database:
                    yield database
        except (sqlite3.DatabaseError, ValueError, TypeError) as error:
            raise OrchError(
                f"the state cannot be used: {error}",
                file=self._file,
                hint="delete it; images are found or built again",
            ) from error

    def _migrate(self, database: sqlite3.Connection) -> None:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise OrchError(
                f"was written by a newer orch (schema {version})",
                file=self._file,
                hint="use that orch, or delete the file",
            )
        if version < SCHEMA_VERSION:
            database.execute(_SCHEMA)
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _inputs_of(text: str) -> tuple[Input, ...]:
    return tuple(Input(*item) for item in json.loads(text))
