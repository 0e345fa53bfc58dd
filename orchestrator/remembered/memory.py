"""What was found out about a workspace's files, kept for as long as these do not move."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from enum import Enum
from pathlib import Path

_VERSION = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS found (
    kind TEXT NOT NULL,
    subject BLOB NOT NULL,
    stamp TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, subject)
) WITHOUT ROWID
"""
_ONE = "SELECT stamp, value FROM found WHERE kind = ? AND subject = ?"
_CHECK = "PRAGMA integrity_check(1)"
_ALL = "SELECT subject, stamp, value FROM found WHERE kind = ?"


class Kind(Enum):
    """What is remembered; each kind says what its stamps are made from."""

    FILE = "file"
    RECIPE = "recipe"
    FINGERPRINT = "fingerprint"
    TOML = "toml"


_WHOLE = (Kind.RECIPE, Kind.FINGERPRINT, Kind.TOML)
"""Kinds that nearly every run asks for nearly all of: they are read in one go."""


class _OtherVersionError(sqlite3.DatabaseError):
    """The file is sound, and of no use."""


class Memory:
    """Findings by subject, each with the stamp of what it was found from; safe for several runs.

    A finding is given for an equal stamp only, so a stamp must say all that the finding follows
    from. Losing the memory costs time and nothing else: what cannot be read is begun anew, and
    what cannot be written is left.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._new: dict[tuple[Kind, str], tuple[str, str]] = {}
        self._read: dict[Kind, dict[bytes, tuple[str, str]]] = {}
        self._reading: sqlite3.Connection | None = None
        self._is_blind = False
        self._is_damaged = False

    def recall(self, kind: Kind, subject: str, stamp: str) -> str | None:
        """Return what was found, or None where that is not known of this stamp."""
        if self._is_blind:
            return None
        try:
            found = self._find(kind, os.fsencode(subject))
        except sqlite3.Error as error:
            # What is only busy, absent or out of reach is not damaged.
            self._is_damaged = not isinstance(error, sqlite3.OperationalError)
            self._let_go()
            self._is_blind = True
            return None
        return found[1] if found and found[0] == stamp else None

    def foresee(self, kind: Kind) -> Mapping[bytes, tuple[str, str]]:
        """Return stamp and value of all that is known of a kind, by subject, to be asked for it.

        Nothing is thereby known to hold: that the stamp is still right is for `recall` to tell.
        """
        try:
            return self._rows(kind, self._reading or self._open())
        except sqlite3.Error:
            self._let_go()  # who recalls meets the same error, and says what it means
            return {}

    def recall_all(self, kind: Kind) -> list[tuple[bytes, str, str]]:
        """Return all findings of a kind: subject, stamp and value; none that cannot be read."""
        try:
            return (self._reading or self._open()).execute(_ALL, (kind.value,)).fetchall()
        except sqlite3.Error:
            return []
        finally:
            self._let_go()

    def find_problem(self) -> str:
        """Return what is wrong with the file; nothing of one that is absent, or only older."""
        try:
            (found,) = (self._reading or self._open()).execute(_CHECK).fetchone()
        except (sqlite3.OperationalError, _OtherVersionError):
            return ""
        except sqlite3.DatabaseError as error:
            return f"cannot be read: {error}"
        finally:
            self._let_go()
        return "" if found == "ok" else f"is damaged: {found}"

    def remember(self, kind: Kind, subject: str, stamp: str, value: str) -> None:
        """Note a finding; it is kept by `save`."""
        self._new[kind, subject] = (stamp, value)

    def save(self) -> None:
        """Keep what is new, in one transaction, and let go of the file until it is asked again.

        The folder is not made for it: who only plans in a fresh checkout leaves nothing behind.
        """
        self._let_go()
        if not self._new or not self._database.parent.is_dir():
            return
        rows = [
            (kind.value, os.fsencode(subject), *found)
            for (kind, subject), found in self._new.items()
        ]
        try:
            if self._is_damaged:
                self._database.unlink(missing_ok=True)
            with closing(sqlite3.connect(self._database, timeout=10)) as database, database:
                database.execute(_SCHEMA)
                database.execute(f"PRAGMA user_version = {_VERSION}")
                database.executemany("INSERT OR REPLACE INTO found VALUES (?, ?, ?, ?)", rows)
        except (OSError, sqlite3.Error):
            return
        self._is_damaged = False
        self._new.clear()

    def _find(self, kind: Kind, subject: bytes) -> tuple[str, str] | None:
        reading = self._reading or self._open()
        if kind not in _WHOLE:
            found: tuple[str, str] | None
            found = reading.execute(_ONE, (kind.value, subject)).fetchone()
            return found
        return self._rows(kind, reading).get(subject)

    def _rows(self, kind: Kind, reading: sqlite3.Connection) -> dict[bytes, tuple[str, str]]:
        if kind not in self._read:
            rows = reading.execute(_ALL, (kind.value,))
            self._read[kind] = {row[0]: row[1:] for row in rows}
        return self._read[kind]

    def _open(self) -> sqlite3.Connection:
        """Open the file for reading, which must not make it: a plan may be all that is asked."""
        address = f"{self._database.absolute().as_uri()}?mode=ro"
        # Runs that end with an error, and go on in another thread, may leave it open.
        self._reading = sqlite3.connect(address, timeout=10, uri=True, check_same_thread=False)
        if self._reading.execute("PRAGMA user_version").fetchone() != (_VERSION,):
            raise _OtherVersionError("another version of orch wrote it")
        return self._reading

    def _let_go(self) -> None:
        if self._reading is not None:
            self._reading.close()
        self._reading, self._is_blind = None, False
        self._read.clear()
