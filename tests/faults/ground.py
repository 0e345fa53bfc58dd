"""Workspaces to be disturbed: brought to a state, run in, looked at, and healed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.app.fsck import check_kept
from orchestrator.fsck.finding import Finding
from orchestrator.oci.layout import Layout
from orchestrator.paths import Paths
from orchestrator.report.fsck import SilentCheck
from orchestrator.scratch import SCRATCH
from tests.e2e.monorepo import Home, Monorepo
from tests.faults.children import TIMEOUT_S, Child, Ended, start
from tests.faults.points import Watch

_OWN_FAULT = "orch -v says where"
_CODES = {0, 1, 2, 3, 130}

Names = dict[str, dict[str, str]]
"""Digest of each named image, by platform."""


@dataclass(frozen=True)
class Ground(Home):
    """A workspace and its cache; its package sources are those of its template."""

    repo: Monorepo
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> Paths:
        return Paths(self.root, self.cache)

    @classmethod
    def of(cls, repo: Monorepo, home: Path, **env: str) -> Ground:
        """Return a copy of a repository's workspace, with an empty cache."""
        shutil.copytree(repo.root, home / "work", ignore=shutil.ignore_patterns(".orch"))
        return cls(home, repo, env)

    def copy(self, home: Path) -> Ground:
        """Return a copy of it all, as it is now."""
        shutil.copytree(self.home, home)
        return Ground(home, self.repo, self.env)

    def beside(self, name: str) -> Ground:
        """Return another workspace with the same files and the same cache."""
        home = self.home / name
        shutil.copytree(self.root, home / "work", ignore=shutil.ignore_patterns(".orch"))
        return Ground(home, self.repo, {**self.env, "ORCH_CACHE": str(self.cache)})

    def start(
        self, *arguments: str, watch: Watch | None = None, prepare: Callable[[], None] | None = None
    ) -> Child:
        """Begin a run of `orch`; `prepare` is called in its process, and then it is watched."""

        def begin() -> None:
            if prepare is not None:
                prepare()
            if watch is not None:
                watch.begin()

        number = len(list(self.home.glob("said-*")))
        output = self.home / f"said-{number}"
        return start(self.root, self._environment(), arguments, output, begin)

    def run(
        self,
        *arguments: str,
        watch: Watch | None = None,
        prepare: Callable[[], None] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Ended:
        """Run `orch` to its end; it says no traceback, whatever happens to it."""
        ended = self.start(*arguments, watch=watch, prepare=prepare).result(timeout_s)
        return checked(ended)

    def names(self) -> Names:
        return Layout(self.paths.layout).names()

    def wrong(self) -> tuple[Finding, ...]:
        """Return what `orch fsck` finds."""
        return check_kept(self.paths, SilentCheck()).findings

    def left(self) -> list[Path]:
        """Return what is in the folder for temporary files, and in the cache's own for such."""
        folders = (self.home / "tmp", self.cache / SCRATCH)
        return [path for folder in folders if folder.is_dir() for path in folder.iterdir()]

    def _environment(self) -> dict[str, str]:
        temporary = self.home / "tmp"
        temporary.mkdir(exist_ok=True)
        places = {"HOME": self.home, "ORCH_CACHE": self.cache, "TMPDIR": temporary}
        own = {name: str(path) for name, path in places.items()}
        return self.repo.environment(**{**own, **self.env})


def checked(ended: Ended) -> Ended:
    """Return how a run ended, if that is a way in which runs may end: each error has its hint."""
    assert "Traceback" not in ended.said, ended.said
    assert _OWN_FAULT not in ended.said, ended.said
    assert ended.was_killed or ended.code in _CODES, ended
    if ended.code in {1, 2, 3} and "error:" in ended.said:
        assert "hint:" in ended.said, ended.said
    return ended
