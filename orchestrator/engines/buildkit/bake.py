"""One `docker buildx bake`: several builds in one process, each told of as soon as it is done."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator import logs
from orchestrator.engines.buildkit.command import BuildCommand
from orchestrator.engines.buildkit.process import Processes
from orchestrator.engines.buildkit.progress import Progress
from orchestrator.engines.buildkit.rawjson import RawJson, Status, Targets
from orchestrator.scratch import scratch_folder

_WRITTEN = re.compile(r"writing image (sha256:[0-9a-f]{64})")
_EXPORT = "exporting to image"


@dataclass(slots=True)
class Target:
    """One build of a bake: the lines for its log, and the digest of what came out."""

    image: str
    command: BuildCommand
    lines: list[str] = field(default_factory=list)
    digest: str = ""
    _written: str = ""
    _progress: Progress = field(default_factory=Progress)

    @property
    def is_at_fault(self) -> bool:
        """Tell whether a step of its own failed; what was cancelled for another did not."""
        return bool(self._progress.failed)

    def take_lines(self) -> list[str]:
        """Return the lines there are, once."""
        lines, self.lines = self.lines, []
        return lines

    def take(self, status: Status) -> None:
        """Take what is said of it; the digest too, where the engine says it before the end."""
        self.lines += self._progress.take(status)
        for item in status.get("statuses") or ():
            written = _WRITTEN.fullmatch(item.get("id", ""))
            if written and item.get("completed"):
                self._written = written[1]
        for vertex in status.get("vertexes") or ():
            if vertex.get("name") == _EXPORT and vertex.get("completed"):
                self.digest = "" if vertex.get("error") else self._written


def bake(
    targets: Mapping[str, Target],
    processes: Processes,
    buildx: Sequence[str],
    environment: Mapping[str, str],
    done: Callable[[Target], None],
) -> None:
    """Build targets, by their names in the file; `done` is told of each that has its digest.

    buildx cancels all others when one fails: those without a digest were not built then. When all
    are complete it is ended: what it waits for then is BuildKit writing its history of them.

    Raises:
        InterruptedByUserError: It was stopped.
        MissingToolError: There is no buildx.
    """
    raw, split, left = RawJson(), Targets(list(targets)), set(targets)

    def take(line: str) -> None:
        status = raw.feed(line)
        for name, part in split.split(status) if status else ():
            target = targets[name]
            target.take(part)
            if target.digest and name in left:
                left.remove(name)
                done(target)

    with scratch_folder() as scratch:
        file, metadata = scratch / "bake.json", scratch / "metadata.json"
        document = {name: target.command.target() for name, target in targets.items()}
        file.write_text(json.dumps({"target": document}), "utf-8")
        first = next(iter(targets.values())).command
        options = [f"--builder={first.builder}", f"--metadata-file={metadata}", f"--file={file}"]
        words = [*buildx, "bake", "--progress=rawjson", *options, *targets]
        if processes.run(words, dict(environment), first.root, take, lambda: not left):
            logs.event("bake.failed", targets=len(targets), because=" ".join(raw.said[-1:]))
            return
        digests = _read_digests(metadata)
    for name in left & digests.keys():
        targets[name].digest = digests[name]
        done(targets[name])


def _read_digests(metadata: Path) -> dict[str, str]:
    """Return what buildx says that it made of each target; nothing where it does not say."""
    try:
        found: dict[str, Any] = json.loads(metadata.read_bytes())
    except (OSError, ValueError):
        return {}
    digests = {name: said.get("containerimage.digest", "") for name, said in found.items()}
    return {name: digest for name, digest in digests.items() if digest}
