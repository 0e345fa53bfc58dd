"""Records of finished builds and of verifications, in SQLite."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import overload

from orchestrator.database import Database, UnusableError
from orchestrator.fingerprint import Fingerprint, Input
from orchestrator.plan import Recorded

_INSERT = "INSERT OR REPLACE INTO builds VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
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


@dataclass(frozen=True, slots=True)
class Cost:
    """What an image cost when it was built; 0 is what is not known."""

    duration_s: float = 0.0
    size_bytes: int = 0
    unpacked_bytes: int = 0


class State:
    """The database of one workspace; what it loses is built again, nothing worse.

    A database that cannot be used reads as empty, and `problem` says why; the first write puts
    it aside and begins a new one.
    """

    def __init__(self, file: Path) -> None:
        self._database = Database(file)
        self.problem = ""

    def read(self, platform: str) -> dict[str, Recorded]:
        """Return what is remembered of each image on a platform; nothing without a database."""
        query = "SELECT image, fingerprint, digest FROM builds WHERE platform = ?"
        try:
            rows = self._database.select(query, platform)
        except UnusableError as error:
            self.problem = f"{self._database.file}: {error}; what it knew is built again"
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
            rows = self._database.select(query, platform, image, fingerprint)
            return tuple(Input(*item) for (text,) in rows for item in json.loads(text))
        except (UnusableError, ValueError, TypeError):
            return ()

    def write(
        self,
        image: str,
        platform: str,
        fingerprint: Fingerprint,
        digest: str,
        duration_s: float,
        size_bytes: int = 0,
        unpacked_bytes: int = 0,
    ) -> None:
        """Remember a build that is complete, in one transaction; what is not known is 0."""
        row = (
            image,
            platform,
            fingerprint.digest,
            json.dumps(list(fingerprint.inputs)),
            digest,
            duration_s,
            size_bytes,
            unpacked_bytes,
        )
        self._database.write((_INSERT, row))

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
        self._database.write((_INSERT_VERIFICATION, row))

    def last_passed(self, image: str, platform: str, digest: str) -> tuple[str, int] | None:
        """Return digest and unpacked bytes of the image that passed last; another if there is."""
        query = (
            "SELECT digest, unpacked_bytes FROM verifications WHERE platform = ? AND image = ? "
            "AND ok ORDER BY digest = ?, at DESC LIMIT 1"
        )
        try:
            return next(iter(self._database.select(query, platform, image, digest)), None)
        except UnusableError:
            return None

    def costs(self, platform: str) -> Mapping[str, Cost]:
        """Return what each image cost when it was built last."""
        query = (
            "SELECT image, duration_s, size_bytes, unpacked_bytes FROM builds WHERE platform = ?"
        )
        try:
            return {name: Cost(*cost) for name, *cost in self._database.select(query, platform)}
        except UnusableError:
            return {}

    def durations(self, platform: str) -> Mapping[str, float]:
        """Return how long each image took to build last, in seconds."""
        query = "SELECT image, duration_s FROM builds WHERE platform = ?"
        try:
            return dict(self._database.select(query, platform))
        except UnusableError:
            return {}

    def digests(self) -> frozenset[tuple[str, str]]:
        """Return name and digest of every image that is remembered, on any platform."""
        query = "SELECT image, digest FROM builds WHERE platform != ?"
        try:
            return frozenset((image, digest) for image, digest in self._database.select(query, ""))
        except UnusableError:
            return frozenset()


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
