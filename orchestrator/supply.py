"""Where a file's bytes come from: shared levels, its places, its fallbacks; each is checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from orchestrator.errors import FetchError, OrchError, UnreachableError
from orchestrator.levels import Levels
from orchestrator.transfer import TRY_LATER, GoneError, Transfers

_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that is known by its content; `size_bytes` 0 means unknown.

    `locate` gives the URLs to try, best first; it is asked only when the file must be fetched.
    `fallback` gives places to try when none of these has it any more: archives that need not be
    reachable. `gone_hint` says what to do when no place has the file any more. The shared levels
    are asked before all these for what `is_shared`.
    """

    name: str
    sha256: str
    size_bytes: int
    locate: Callable[[], Sequence[str]]
    gone_hint: str = "pin another version, or file, that is there"
    fallback: Callable[[], Sequence[str]] = tuple
    is_shared: bool = False


class AlteredError(FetchError):
    """A place gave other bytes than the lock names, twice."""


class Supply:
    """The ways to a file's bytes; threads may share one.

    `sources` tells, by sha256, which shared level or host gave a file; `gone` are the sha256 of
    files that no place has any more.
    """

    def __init__(self, transfers: Transfers, levels: Levels, *, offline: bool) -> None:
        self._transfers = transfers
        self._levels = levels
        self.is_offline = offline
        self.sources: dict[str, str] = {}
        self.gone: set[str] = set()

    def fill(self, artifact: Artifact, part: BinaryIO) -> None:
        """Try the shared levels, then each place where the file may lie, then its fallbacks.

        Raises:
            FetchError: No place gives it, or one gives other bytes than the lock names.
            InterruptedByUserError: The transfers were stopped.
        """
        if artifact.is_shared and self._fill_shared(artifact, part):
            return
        if self.is_offline:
            raise FetchError(
                f"{artifact.name} is not in the cache, and --offline forbids fetching it",
                hint="run once without --offline",
            )
        problems: list[FetchError] = []
        for url in self._locate(artifact):
            if self._takes(artifact, url, part, problems, _ATTEMPTS):
                return
        if all(isinstance(error, GoneError) for error in problems):
            for url in artifact.fallback():
                if self._takes(artifact, url, part, [], 1):
                    return
        raise self._failure(artifact, problems)

    def _fill_shared(self, artifact: Artifact, part: BinaryIO) -> bool:
        level = self._levels.fill(artifact.sha256, artifact.name, part, self._transfers.received)
        if level is not None:
            self.sources[artifact.sha256] = level.name
        return level is not None

    def _locate(self, artifact: Artifact) -> Sequence[str]:
        try:
            return artifact.locate()
        except OrchError as error:
            error.message = "; ".join((error.message, *self._level_problems(artifact)))
            raise

    def _level_problems(self, artifact: Artifact) -> list[str]:
        return self._levels.problems if artifact.is_shared else []

    def _failure(self, artifact: Artifact, problems: Sequence[FetchError]) -> FetchError:
        """Return what to say of a file that no place gave; note it where none has it any more."""
        for error in problems:
            if isinstance(error, AlteredError):
                return error
        tried = [error.message for error in problems] or ["no configured source offers it"]
        tried += self._level_problems(artifact)
        message = f"{artifact.name} cannot be fetched: {'; '.join(tried)}"
        if not all(isinstance(error, GoneError) for error in problems):
            return UnreachableError(message, hint=TRY_LATER)
        self.gone.add(artifact.sha256)
        return GoneError(message, hint=artifact.gone_hint)

    def _takes(
        self,
        artifact: Artifact,
        url: str,
        part: BinaryIO,
        problems: list[FetchError],
        attempts: int,
    ) -> bool:
        """Try one place, twice where it gives other bytes than the lock names."""
        found = ""
        for _ in range(2):
            try:
                self._transfers.fetch(url, part, attempts, artifact.size_bytes)
            except FetchError as error:
                problems.append(error)
                return False
            found = sha256_of(Path(part.name))
            if found == artifact.sha256:
                self.sources[artifact.sha256] = urlsplit(url).hostname or "a folder"
                return True
            part.truncate(0)
        problems.append(
            AlteredError(
                f"{artifact.name} is not what the lock names: expected sha256 "
                f"{artifact.sha256}, found {found}",
                hint="nothing of it was kept; fetch it past the proxy or mirror that altered it; "
                f"where it was replaced for good, {artifact.gone_hint}",
            )
        )
        return False


def sha256_of(path: Path) -> str:
    """Return the digest of a file.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
