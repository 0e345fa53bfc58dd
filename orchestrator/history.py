"""What was built, pushed and verified in a workspace: a row a run, beside the records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from orchestrator.database import Database, Statement, UnusableError
from orchestrator.errors import OrchError
from orchestrator.model import HistorySettings

_WAIT_S = 2.0
"""How long a run that is done waits for others to let it write; its work is not lost with that."""

_INSERT = "INSERT INTO runs (started, kind, result, names, facts, images) VALUES (?, ?, ?, ?, ?, ?)"
_DROP_MANY = "DELETE FROM runs WHERE id <= (SELECT max(id) FROM runs) - ?"
_DROP_OLD = "DELETE FROM runs WHERE started < ?"


class Kind(Enum):
    """What a run did."""

    BUILD = "build"
    PUSH = "push"
    VERIFY = "verify"


class Result(Enum):
    """What a run came to; `unchanged` is one that found nothing to do."""

    DONE = "done"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class PastImage:
    """What came of an image in a run; sizes and durations that are not known are 0."""

    name: str
    platform: str
    status: str
    because: str = ""
    fingerprint: str = ""
    digest: str = ""
    size_bytes: int = 0
    unpacked_bytes: int = 0
    duration_s: float = 0.0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run that is over.

    `run` is the id that its log events have too. `hit_rate` is the share that need not be done
    again, of images or, in a push, of bytes; None where there was nothing to save. `saved_s` and
    `saved_bytes` are what that would have cost, as far as it was ever measured.
    """

    run: str
    kind: Kind
    started: datetime
    duration_s: float
    result: Result
    commit: str = ""
    hit_rate: float | None = None
    saved_s: float = 0.0
    saved_bytes: int = 0
    images: tuple[PastImage, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs are asked for; `limit` 0 means all, `since` counts and `until` does not."""

    image: str = ""
    kinds: frozenset[Kind] = field(default_factory=frozenset)
    results: frozenset[Result] = field(default_factory=frozenset)
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 0


class History:
    """The past runs of one workspace."""

    def __init__(self, file: Path) -> None:
        self._database = Database(file, _WAIT_S)

    def add(self, run: PastRun, keep: HistorySettings) -> None:
        """Remember a run, and let go of what is not kept any longer, in one transaction.

        Raises:
            OrchError: The database cannot be written, or others do not let go of it.
        """
        self._database.write((_INSERT, _row(run)), *_drops(run, keep))

    def find(self, wanted: Wanted) -> Iterator[PastRun]:
        """Return the runs that are asked for, the last first.

        Raises:
            OrchError: The database cannot be read.
        """
        where, values = _conditions(wanted)
        query = f"SELECT started, kind, result, facts, images FROM runs{where} ORDER BY id DESC"  # noqa: S608 - no part of it is given from outside
        if wanted.limit:
            query += f" LIMIT {wanted.limit}"
        try:
            rows = self._database.select(query, *values)
        except UnusableError as error:
            raise OrchError(
                str(error), file=self._database.file, hint="the next build begins them anew"
            ) from error
        return (_run(*row) for row in rows)


def _row(run: PastRun) -> Sequence[Any]:
    facts = {
        "run": run.run,
        "duration_s": run.duration_s,
        "commit": run.commit,
        "hit_rate": run.hit_rate,
        "saved_s": run.saved_s,
        "saved_bytes": run.saved_bytes,
    }
    names = dict.fromkeys(image.name for image in run.images)
    images = [
        [getattr(image, name) for name in PastImage.__slots__]  # by position: a tenth of the bytes
        for image in run.images
    ]
    return (
        _time(run.started),
        run.kind.value,
        run.result.value,
        f" {' '.join(names)} ",
        json.dumps(facts),
        json.dumps(images, separators=(",", ":")),
    )


def _run(started: str, kind: str, result: str, facts: str, images: str) -> PastRun:
    return PastRun(
        kind=Kind(kind),
        started=datetime.fromisoformat(started),
        result=Result(result),
        images=tuple(PastImage(*values) for values in json.loads(images)),
        **json.loads(facts),
    )


def _drops(run: PastRun, keep: HistorySettings) -> Iterator[Statement]:
    if keep.runs:
        yield _DROP_MANY, (keep.runs,)
    if keep.days:
        yield _DROP_OLD, (_time(run.started - timedelta(days=keep.days)),)


def _conditions(wanted: Wanted) -> tuple[str, list[str]]:
    """Return what rows must meet, and the values of its placeholders."""
    given: Mapping[str, Sequence[str]] = {
        "instr(names, ?)": [f" {wanted.image} "] if wanted.image else [],
        "kind": sorted(kind.value for kind in wanted.kinds),
        "result": sorted(result.value for result in wanted.results),
        "started >= ?": [_time(wanted.since)] if wanted.since else [],
        "started < ?": [_time(wanted.until)] if wanted.until else [],
    }
    used = {
        text if "?" in text else f"{text} IN ({', '.join('?' * len(values))})": values
        for text, values in given.items()
        if values
    }
    where = f" WHERE {' AND '.join(used)}" if used else ""
    return where, [value for values in used.values() for value in values]


def _time(moment: datetime) -> str:
    """Return a time so that texts are in the order of times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
