"""Containers that something is run in once: filled, followed, emptied, removed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from types import TracebackType
from typing import BinaryIO, Self

from orchestrator.engines.docker.engine import DockerEngine
from orchestrator.errors import OrchError

_HALF = 512
"""Half of the processor time that other containers get where there is too little for all."""


class Container:
    """A container without a network and without privileges, removed when the block ends.

    `stop` may be called from another thread.
    """

    def __init__(
        self, engine: DockerEngine, image: str, command: Sequence[str], *, user: str, label: str
    ) -> None:
        self._engine = engine
        self._image = image
        self._command = list(command)
        self._user = user
        self._label = label
        self._id = ""
        self._lock = threading.Lock()
        self._stopped = False

    def __enter__(self) -> Self:
        """Create it; nothing runs yet.

        Raises:
            OrchError: The engine refuses.
        """
        with self._engine.asking("creating a container") as api:
            host = api.create_host_config(
                network_mode="none",
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                cpu_shares=_HALF,
                # An engine may have one that tells nothing. The stubs know of no dict here.
                log_config={"type": "json-file"},  # type: ignore[arg-type]
            )
            made = api.create_container(
                self._image,
                self._command,
                entrypoint=[],
                user=self._user,
                host_config=host,
                labels={"org.opencontainers.image.title": self._label},
            )
        self._id = made["Id"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove it, running or not; where that fails, an error of the block goes first."""
        try:
            with self._engine.asking("removing a container") as api:
                api.remove_container(self._id, v=True, force=True)
        except OrchError:
            if error is None:
                raise

    def put(self, archive: BinaryIO | Iterable[bytes]) -> None:
        """Unpack a tar archive, gzipped or not, into its root folder.

        Raises:
            OrchError: The engine refuses.
        """
        with self._engine.asking("filling a container") as api:
            api.put_archive(self._id, "/", archive)

    def run(self, write: Callable[[bytes], object]) -> int:
        """Run its command, hand on what it says, and return how it ended.

        Raises:
            OrchError: The engine refuses, or goes away.
        """
        with self._engine.asking("running a container") as api:
            with self._lock:
                if self._stopped:
                    return -1
                api.start(self._id)
            with closing(api.logs(self._id, stream=True, follow=True)) as said:
                for piece in said:
                    write(piece)
            return int(api.wait(self._id)["StatusCode"])

    def get(self, path: str) -> Iterator[bytes]:
        """Yield a file or folder of it as a tar archive.

        Raises:
            OrchError: It is not there.
        """
        with self._engine.asking(f"taking {path} out of a container") as api:
            yield from api.get_archive(self._id, path)[0]

    def stop(self) -> None:
        """End what runs in it; what has not begun does not begin."""
        with self._lock:
            self._stopped = True
        with suppress(OrchError), self._engine.asking("ending a container") as api:
            api.kill(self._id)
