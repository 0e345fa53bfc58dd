"""The SQLite database of a workspace: opened, brought to the present schema, put aside if unusable.

What is in it is the business of `state.py` and `history.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from orchestrator.errors import OrchError, disk_error

STEPS = (
    (
        """CREATE TABLE builds (
            image TEXT NOT NULL,
            platform TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            inputs TEXT NOT NULL,
            digest TEXT NOT NULL,
            duration_s REAL NOT NULL,
            PRIMARY KEY (image, platform)
        ) WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE verifications (
            image TEXT NOT NULL,
            platform TEXT NOT NULL,
            digest TEXT NOT NULL,
            at TEXT NOT NULL,
            ok INTEGER NOT NULL,
            unpacked_bytes INTEGER NOT NULL,
            results TEXT NOT NULL,
            PRIMARY KEY (image, platform, digest)
        ) WITHOUT ROWID""",
    ),
    (
        "ALTER TABLE builds ADD COLUMN size_bytes INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE builds ADD COLUMN unpacked_bytes INTEGER NOT NULL DEFAULT 0",
        # `images` is last: a search by name reads the beginning of each row alone.
        """CREATE TABLE runs (
            id INTEGER PRIMARY KEY,
            started TEXT NOT NULL,
            kind TEXT NOT NULL,
            result TEXT NOT NULL,
            names TEXT NOT NULL,
            facts TEXT NOT NULL,
            images TEXT NOT NULL
        )""",
        "CREATE INDEX runs_by_time ON runs (started)",
    ),
)
"""What makes of each version of the schema the next; the first of nothing at all."""

SCHEMA_VERSION = len(STEPS)
_WAIT_S = 30.0
_HELD = "another run holds them: try again when it has ended"
_STUCK = "free space on that disk, and let the user who runs orch write there"

Statement = tuple[str, Sequence[Any]]


class UnusableError(Exception):
    """The database is damaged, or of a newer version."""


class Database:
    """A database file; it need not be there to be read."""

    def __init__(self, file: Path, wait_s: float = _WAIT_S) -> None:
        self.file = file
        self._wait_s = wait_s

    def select(self, query: str, *values: str | int) -> list[Any]:
        """Return the rows of a query; none without a file.

        Raises:
            UnusableError: The database cannot be used.
            OrchError: It is locked, or may not be read.
        """
        if not self.file.is_file():
            return []
        with self._open() as database:
            # Where nothing may be written, the schema stays what it was.
            with suppress(sqlite3.OperationalError):
                _migrate(database)
            return database.execute(query, values).fetchall()

    def write(self, *statements: Statement) -> None:
        """Execute statements in one transaction; a database that cannot be used is begun anew.

        Raises:
            OrchError: The file cannot be written, or is locked for long.
        """
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(error, self.file.parent) from error
        try:
            self._execute(statements)
        except UnusableError:
            self.put_aside()
            self._execute(statements)

    def put_aside(self) -> None:
        """Give the file another name: the next write begins a new one."""
        self.file.replace(self.file.with_suffix(".unusable"))

    def find_problem(self) -> str:
        """Return why the database cannot be used; nothing where it can, or is not there.

        Raises:
            OrchError: It is locked, or may not be read.
        """
        if not self.file.is_file():
            return ""
        try:
            with self._open() as database:
                schema = _schema(database)
                (found,) = database.execute("PRAGMA integrity_check(1)").fetchone()
                with closing(sqlite3.connect(":memory:")) as expected:
                    _execute_steps(expected, STEPS[: _version(database)])
                    is_known = schema == _schema(expected)
        except UnusableError as error:
            return str(error)
        if found != "ok":
            return f"the records are damaged ({found})"
        return "" if is_known else "the records have another schema than they say"

    def _execute(self, statements: Sequence[Statement]) -> None:
        with self._open() as database:
            _migrate(database)
            with database:
                for statement, values in statements:
                    database.execute(statement, values)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.file, timeout=self._wait_s)) as database:
                yield database
        except sqlite3.OperationalError as error:
            raise OrchError(
                f"the records cannot be used: {error}",
                file=self.file,
                hint=_HELD if "locked" in str(error) else _STUCK,
            ) from error
        except sqlite3.DatabaseError as error:
            raise UnusableError(f"the records cannot be read ({error})") from error


def _migrate(database: sqlite3.Connection) -> None:
    """Bring a database to the present schema, in one transaction that others wait for."""
    if _version(database) == SCHEMA_VERSION:
        return
    with database:
        database.execute("BEGIN IMMEDIATE")
        _execute_steps(database, STEPS[_version(database) :])  # asked again: another may be first
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _execute_steps(database: sqlite3.Connection, steps: Iterable[Sequence[str]]) -> None:
    for step in steps:
        for statement in step:
            database.execute(statement)


def _schema(database: sqlite3.Connection) -> list[Any]:
    return database.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()


def _version(database: sqlite3.Connection) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise UnusableError(f"a newer orch wrote the records (version {version})")
    return version
