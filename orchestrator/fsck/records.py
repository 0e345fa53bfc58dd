"""The databases of a workspace: records and history, and what is remembered of its files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from orchestrator.database import Database
from orchestrator.errors import OrchError
from orchestrator.fsck.finding import Fault, Finding, Where, seen
from orchestrator.paths import Paths
from orchestrator.remembered.memory import Kind, Memory
from orchestrator.remembered.stamps import Stamp


def check_records(paths: Paths) -> Iterator[Finding]:
    """Find databases that cannot be used, and digests of files that are not theirs."""
    try:
        problem = Database(paths.database).find_problem()
    except OrchError as error:
        problem = error.message
    if problem:
        yield Finding(Where.RECORDS, Fault.UNREADABLE, paths.database, problem)
    memory = Memory(paths.memory)
    problem = memory.find_problem()
    wrong = "" if problem else _find_wrong(memory, paths.root)
    if problem or wrong:
        fault = Fault.UNREADABLE if problem else Fault.DAMAGED
        what = problem or f"has another digest of {wrong} than the file has"
        yield Finding(Where.RECORDS, fault, paths.memory, what, seen(paths.memory))


def _find_wrong(memory: Memory, root: Path) -> str:
    """Return a file that did not move and has other bytes than is remembered; mostly none."""
    for subject, stamp, digest in memory.recall_all(Kind.FILE):
        file = root / os.fsdecode(subject)
        try:
            with file.open("rb") as content:
                is_same = Stamp.of(os.fstat(content.fileno())).text == stamp
                if is_same and hashlib.file_digest(content, "sha256").hexdigest() != digest:
                    return os.fsdecode(subject)
        except OSError:
            continue
    return ""
