"""What was built, on its shelf: a record for each key of inputs, the wheel among the downloads."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from orchestrator.atomic import replacing, write_text
from orchestrator.fetch import Downloads
from orchestrator.links import open_shared
from orchestrator.wheelhouse.records import BuiltRecord, read_record


class Shelf:
    """Built wheels by the key of their inputs; threads and processes may share a folder.

    `warnings` are what a person should know of wheels that were no longer what they had been.
    """

    def __init__(self, folder: Path, materials: Downloads) -> None:
        self._folder = folder
        self._materials = materials
        self._lock = threading.Lock()
        self._one_by_one: dict[str, threading.Lock] = {}
        self.warnings: list[str] = []

    def find(self, key: str) -> BuiltRecord | None:
        """Return what these inputs gave before, if it is still there and whole."""
        record = read_record(self._record(key))
        if record is None:
            return None
        path = self._materials.path(record.sha256)
        try:
            with path.open("rb") as file:
                is_whole = hashlib.file_digest(file, "sha256").hexdigest() == record.sha256
        except FileNotFoundError:
            return None
        if not is_whole:
            warning = f"{record.file} was damaged in the cache; thrown away and built again"
            self.warnings.append(warning)
            path.unlink(missing_ok=True)
            return None
        return record

    def keep(self, wheel: Path) -> tuple[str, int]:
        """Put a wheel among the materials, under its digest; return that and its size.

        Raises:
            OrchError: The disk is full, or the folder cannot be written to.
        """
        with wheel.open("rb") as source:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
            source.seek(0)
            with replacing(self._materials.path(digest), sync=True) as out:
                shutil.copyfileobj(source, out)
        return digest, wheel.stat().st_size

    def note(self, key: str, record: BuiltRecord) -> None:
        """Remember what a key's inputs gave, once the wheel is kept.

        Raises:
            OrchError: As for `keep`.
        """
        write_text(self._record(key), json.dumps(asdict(record), indent=1), sync=True)

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Keep other threads and processes from building the same until the block ends."""
        file = self._record(key).with_suffix(".lock")
        with self._lock:
            mine = self._one_by_one.setdefault(key, threading.Lock())
        file.parent.mkdir(parents=True, exist_ok=True)
        with mine, open_shared(file) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _record(self, key: str) -> Path:
        return self._folder / "built" / f"{key}.json"
