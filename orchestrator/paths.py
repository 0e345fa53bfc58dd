"""Where things are kept: in the workspace's `.orch` folder and in the user's cache."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


def cache_folder() -> Path:
    """Return the user's cache, which `ORCH_CACHE` moves."""
    given = os.environ.get("ORCH_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    # Not all that set variables expand ~, such as the files of pipelines.
    return Path(os.path.expanduser(given or f"{base}/orch")).absolute()  # noqa: PTH111 - never fails


@dataclass(frozen=True, slots=True)
class Paths:
    """The places of one workspace; deleting any of them loses time, never correctness."""

    root: Path
    cache: Path

    @classmethod
    def of(cls, root: Path) -> Paths:
        """Return the places for a workspace."""
        return cls(root, cache_folder())

    @property
    def state(self) -> Path:
        """Return the workspace's own folder, which git ignores."""
        return self.root / ".orch"

    @property
    def layout(self) -> Path:
        """Return the OCI layout that holds every image."""
        return self.state / "layout"

    @property
    def elsewhere(self) -> Path:
        """Return the folder that says in which registry layers lie that the layout lacks."""
        return self.state / "elsewhere"

    @property
    def database(self) -> Path:
        """Return the file of records."""
        return self.state / "state.db"

    @property
    def memory(self) -> Path:
        """Return the file of what was found out about the workspace's files."""
        return self.state / "files.db"

    @property
    def logs(self) -> Path:
        """Return the folder of an image's log files."""
        return self.state / "logs"

    @property
    def reports(self) -> Path:
        """Return the folder of the last build's, push's, verification's and check's reports."""
        return self.state / "reports"

    @property
    def wheel_logs(self) -> Path:
        """Return the folder of what builds of wheels said."""
        return self.logs / "wheels"

    @property
    def lock(self) -> Path:
        """Return the lock."""
        return self.root / "orch.lock"

    @property
    def wheel_places(self) -> Path:
        """Return the file that remembers where wheels were found."""
        return self.cache / "wheel-places.json"

    @property
    def hadolint_remarks(self) -> Path:
        """Return the file of what hadolint said of Dockerfiles."""
        return self.cache / "hadolint.json"

    @property
    def wheelhouse(self) -> Path:
        """Return the folder of what was built from sdists, and where it is built."""
        return self.cache / "wheelhouse"

    @property
    def downloads(self) -> Path:
        """Return the folder of downloaded files, by sha256."""
        return self.cache / "downloads"
