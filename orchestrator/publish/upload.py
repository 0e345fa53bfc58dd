"""Sending one blob: in one piece, and where that breaks off, on from there in chunks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrator.errors import disk_error
from orchestrator.publish.exchange import Answer, Content, Request
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import (
    BlobInfo,
    RefusedError,
    RegistryError,
    RegistryUnreachableError,
)
from orchestrator.publish.wire import ATTEMPTS, Wire

CHUNK_BYTES = 16 << 20
_READ = 1 << 18
_TOO_LARGE, _GONE = 413, {400, 404, 416}
_NUMBER = r"[0-9]{1,18}"
_RANGE = re.compile(rf"(?:bytes=)?0-({_NUMBER})")


class Upload:
    """One blob on its way into one repository; its file is read in pieces, never whole.

    Source: OCI distribution specification 1.1, "Pushing blobs".
    """

    def __init__(
        self,
        wire: Wire,
        repository: Repository,
        blob: BlobInfo,
        source: Path,
        on_bytes: Callable[[int], None],
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        self._wire, self._repository, self._blob = wire, repository, blob
        self._source, self._on_bytes, self._chunk_bytes = source, on_bytes, chunk_bytes
        self._location = ""

    def send(self, location: str = "") -> None:
        """Send the blob; `location` is an upload that the registry has opened already.

        Raises:
            RegistryError: It is not there whole after some attempts, or is refused.
            OrchError: The file cannot be read.
        """
        self._location = location or self._open()
        error: RegistryError | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                self._wire.retries[self._repository] += 1
                passing = error if isinstance(error, RegistryUnreachableError) else None
                self._wire.pause(attempt, passing)
            try:
                if attempt == 0:
                    self._finish(0)
                elif not self._is_there():
                    self._send_rest()
            except RegistryUnreachableError as problem:
                error = problem
            except RefusedError as problem:
                self._check_source(problem)
                if problem.status not in {_TOO_LARGE, *_GONE}:
                    raise
                error = problem
                self._location = ""
            else:
                return
        raise error or RegistryError(f"{self._blob.digest} was not sent", hint="push again")

    def _open(self) -> str:
        answer = self._wire.expect(Request("POST", self._repository, "blobs/uploads/"), 202)
        least = answer.headers.get("oci-chunk-min-length", "")
        self._chunk_bytes = max(
            self._chunk_bytes, int(least) if re.fullmatch(_NUMBER, least) else 0
        )
        return answer.location

    def _send_rest(self) -> None:
        """Send chunks from where the registry is, then say that this is all."""
        done = self._progress() if self._location else None
        if done is None:
            self._location, done = self._open(), 0
        while done < self._blob.size_bytes:
            size = min(self._chunk_bytes, self._blob.size_bytes - done)
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Range": f"{done}-{done + size - 1}",
            }
            request = Request(
                "PATCH", self._repository, self._location, headers, self._part(done, size), size
            )
            self._moved(self._wire.expect(request, 202, attempts=1))
            done += size
        self._finish(done)

    def _finish(self, done: int) -> None:
        """Send what is left with the digest; the registry checks it and keeps the blob."""
        joint = "&" if "?" in self._location else "?"
        size = self._blob.size_bytes - done
        request = Request(
            "PUT",
            self._repository,
            f"{self._location}{joint}digest={self._blob.digest}",
            {"Content-Type": "application/octet-stream"},
            self._part(done, size),
            size,
            slow=True,
        )
        self._wire.expect(request, 201, attempts=1)

    def _progress(self) -> int | None:
        """Return how many bytes the registry has; None where this upload is of no use any more."""
        answer = self._wire.send(Request("GET", self._repository, self._location))
        if answer.status != 204:
            return None
        self._moved(answer)
        found = _RANGE.fullmatch(answer.headers.get("range", ""))
        last = int(found[1]) if found else 0
        done = last + 1 if last else 0  # registries say 0-0 for nothing
        return done if done <= self._blob.size_bytes else None

    def _moved(self, answer: Answer) -> None:
        if answer.headers.get("location"):
            self._location = answer.location

    def _is_there(self) -> bool:
        """Tell whether the blob arrived although the answer did not."""
        request = Request("HEAD", self._repository, f"blobs/{self._blob.digest}")
        return self._wire.send(request).status == 200

    def _part(self, begin: int, size: int) -> Content:
        def read() -> Iterator[bytes]:
            try:
                with self._source.open("rb") as file:
                    file.seek(begin)
                    left = size
                    while left and (piece := file.read(min(_READ, left))):
                        self._wire.check_wanted()
                        left -= len(piece)
                        yield piece
                        self._on_bytes(len(piece))
            except OSError as error:
                raise disk_error(error, self._source) from error

        return read

    def _check_source(self, problem: RefusedError) -> None:
        """Say so when what was refused is damaged here."""
        if "DIGEST_INVALID" not in problem.codes:
            return
        with self._source.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if f"sha256:{found}" != self._blob.digest:
            raise RegistryError(
                f"{self._source} is damaged: its sha256 is {found}",
                hint="delete it and build again: orch build",
            ) from problem
