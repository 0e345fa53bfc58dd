"""Digests of files that were read before and have not moved since."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from orchestrator.errors import WorkspaceError
from orchestrator.remembered.memory import Kind, Memory
from orchestrator.remembered.stamps import Stamp, look_ns


class CachedDigests:
    """Digests of a workspace's files, from an earlier look where nothing moved since.

    The digest of a file that could change again unseen is used and not kept.
    """

    def __init__(self, memory: Memory, root: Path) -> None:
        self._memory = memory
        self._prefix = len(str(root)) + 1

    def sha256_of(self, path: str, status: os.stat_result) -> str:
        """Return a file's digest; `status` is what the file system says of it now.

        Raises:
            OSError: It cannot be read.
            WorkspaceError: It changes while it is being read, twice.
        """
        subject = path[self._prefix :]
        known = self._memory.recall(Kind.FILE, subject, Stamp.of(status).text)
        if known is not None:
            return known
        for _ in range(2):
            looked_ns = look_ns()
            digest, before, after = _read_digest(path)
            if before == after:
                if before.was_settled(looked_ns):
                    self._memory.remember(Kind.FILE, subject, before.text, digest)
                return digest
        raise WorkspaceError("changes while it is being read", file=path, hint="run again")


def _read_digest(path: str) -> tuple[str, Stamp, Stamp]:
    with open(path, "rb") as file:  # noqa: PTH123 - paths are text here, for speed
        before = Stamp.of(os.fstat(file.fileno()))
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, before, Stamp.of(os.fstat(file.fileno()))
