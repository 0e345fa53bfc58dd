"""Running builds: a process each or one for several, their logs, and what went wrong."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

from orchestrator.engines.buildkit.bake import Target, bake
from orchestrator.engines.buildkit.command import BuildCommand, environment_of
from orchestrator.engines.buildkit.failures import (
    find_failure,
    is_out_of_space,
    lost_engine,
)
from orchestrator.engines.buildkit.process import Processes
from orchestrator.engines.buildkit.progress import Progress
from orchestrator.engines.buildkit.secrets import masking
from orchestrator.engines.buildkit.shelves import Shelf
from orchestrator.errors import MissingToolError, OrchError, disk_error
from orchestrator.model import Image

_LAST_LINES = 20
_PROCESSES = 16
"""How many builds run by themselves at once: each has a process of some 30 MB here."""


class Runs:
    """Runs builds and writes a log of each. Threads share one."""

    def __init__(self, logs: Path, buildx: Sequence[str], shelf: Shelf) -> None:
        self._logs = logs
        self._buildx = buildx
        self._shelf = shelf
        self._processes = Processes()
        self._room = threading.BoundedSemaphore(_PROCESSES)
        self._begun: set[str] = set()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """End all builds."""
        self._processes.stop()

    def run(self, image: Image, command: BuildCommand, metadata: Path) -> None:
        """Run a build to its end; buildx writes what it made into a file, `metadata`.

        Raises:
            BuildError: The Dockerfile does not build.
            MissingToolError: The builder is out of reach.
            InterruptedByUserError: It was stopped.
        """
        mask = masking(command.settings.options.secrets, command.root, os.environ)
        with self._open_log(image.name) as log:

            def write(lines: Iterable[str]) -> None:
                for text in lines:
                    log.write(f"{mask(text)}\n")
                log.flush()

            progress, code = self._run_alone(command, metadata, write)
        if code:
            raise self._failure(image, command.root, progress, mask)

    def run_together(self, targets: Mapping[str, Target], done: Callable[[Target], None]) -> None:
        """Run builds in one process, as `bake` does.

        Raises:
            InterruptedByUserError: It was stopped.
            MissingToolError: There is no buildx.
        """
        bake(targets, self._processes, self._buildx, environment_of(os.environ), done)

    def log(self, name: str, lines: Iterable[str]) -> None:
        """Write lines into an image's log.

        Raises:
            OrchError: The disk does not take them.
        """
        with self._open_log(name) as log:
            log.writelines(f"{line}\n" for line in lines)

    def _run_alone(
        self, command: BuildCommand, metadata: Path, write: Callable[[Iterable[str]], None]
    ) -> tuple[Progress, int]:
        progress = Progress()

        def take(line: str) -> None:
            before = len(progress.said)
            write((*progress.feed(line), *progress.said[before:]))

        words = command.words(self._buildx, metadata)
        with self._room:
            code = self._processes.run(words, environment_of(os.environ), command.root, take)
        return progress, code

    def _failure(
        self, image: Image, root: Path, progress: Progress, mask: Callable[[str], str]
    ) -> OrchError:
        if lost_engine(progress.said) and (problem := self._shelf.problem()):
            hint = "start it and build again; what is complete is kept"
            return MissingToolError(f"{problem} during the build", hint=hint)
        said = [mask(text) for text in progress.said]
        output = [mask(text) for text in progress.last_lines(_LAST_LINES)]
        hint = f"all of its output is in {self._log_file(image.name).relative_to(root)}"
        if is_out_of_space([*said, *output]):
            hint = f"{self._shelf.space()}; {hint}"
        return find_failure(str(image.file), said, output, hint)

    def _open_log(self, name: str) -> IO[str]:
        """Open an image's log; what an earlier run wrote there goes."""
        with self._lock:
            mode = "a" if name in self._begun else "w"
            self._begun.add(name)
        file = self._log_file(name)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            return file.open(mode, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise disk_error(error, file) from error

    def _log_file(self, name: str) -> Path:
        return self._logs / f"{name}.log"
