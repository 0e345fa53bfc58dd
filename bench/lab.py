"""What cases are measured with: an engine, a mirror, caches, and a workspace for each side."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from mirror import Mirror
from processes import Measured, run_measured
from results import Figure, Results
from sides import ORCH, Side, Workspace, run_all
from tables import NOTE
from trees import (
    Tree,
    real_tree,
    write_dockerfiles,
    write_empty_lock,
    write_files,
    write_recipes,
)

from orchestrator.lockfile import parse_lock

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))  # for the starters of tests/real
from tests.real.docker_engine import DockerEngine, docker_engine  # noqa: E402

BAKED_AT_ONCE = 100
"""Targets in a call of bake, where it fails with all of them."""


class BenchError(Exception):
    """What is measured does not work; there is no figure of that."""

    @property
    def line(self) -> str:
        """Return it in a line, for a table: mostly the last one says what went wrong."""
        lines = [line.strip(" :") for line in str(self).splitlines() if line.strip(" :")]
        return ": ".join(dict.fromkeys([lines[0], lines[-1]]))[:200] if lines else "failed"


@dataclass
class Lab:
    """Made by `lab`; `work` is thrown away, `kept` is for the next time."""

    work: Path
    kept: Path
    engine: DockerEngine
    mirror: Mirror
    url: str
    results: Results
    runs: int
    limit_s: float
    share_s: float
    profile: Path | None = None
    begun: float = field(default_factory=time.monotonic)
    failed: set[str] = field(default_factory=set)
    """The cases in which a side of orch failed."""
    _real: dict[Side, Workspace | BenchError] = field(default_factory=dict)
    _number: int = 0

    @property
    def cache(self) -> Path:
        return self.kept / "cache"

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """Return what every side is run with: the engine, the index here, no other."""
        # As installed, orch has its bytecode; compiling it anew at every start is nobody's case.
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        pip = {
            "PIP_INDEX_URL": f"{self.url}/simple",
            "PIP_EXTRA_INDEX_URL": "",
            "PIP_FIND_LINKS": "",
        }
        own = {"ORCH_CACHE": str(self.cache), "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        return {**inherited, **self.engine.environment(), **pip, **own}

    def say(self, text: str) -> None:
        print(f"[{time.monotonic() - self.begun:6.0f} s] {text}", flush=True)

    def next_number(self) -> int:
        """Return a number that no change had before."""
        self._number += 1
        return self._number

    def put(
        self,
        case: str,
        measure: str,
        side: str,
        run: int,
        value: float | None,
        unit: str,
        note: str = "",
    ) -> None:
        """Keep a figure and show it."""
        self.results.put(Figure(case, measure, side, run, value, unit, note))
        shown = "-" if value is None else f"{value:.3f}"
        self.say(f"  {measure:<22} {side:<18} {shown:>10} {unit} {note}")

    def put_failure(self, case: str, side: Side, error: BenchError) -> None:
        """Say in the case's table that a side has no figure, and why; the others go on."""
        self.put(case, "seconds", side.value, 0, None, "s", error.line)
        if side in {Side.ORCH, Side.ORCH_DOCKERFILES}:
            self.failed.add(case)
            print(error, file=sys.stderr)

    def profiled(self, command: Sequence[str]) -> Sequence[str]:
        """Return a command as it is, or with a profile of it asked for."""
        if self.profile is None or command[0] != ORCH:
            return command
        jobs = ["--jobs", "1"] if command[1] == "build" else []  # all in the process profiled
        python = [sys.executable, "-m", "cProfile", "-o", str(self.profile)]
        return [*python, "-m", "orchestrator", *command[1:], *jobs]

    def run(self, command: Sequence[str], folder: Path, **more: str) -> str:
        """Run what is not measured.

        Raises:
            BenchError: It failed.
        """
        done = subprocess.run(
            command,
            cwd=folder,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            what = " ".join(map(str, command))
            raise BenchError(f"{what} ended with {done.returncode}:\n{done.stderr[-3000:]}")
        return done.stdout

    def forget(self) -> None:
        """Throw away all that orch made, but no download."""
        for name in ("blobs", "segments", "layers", "checked", "interpreters"):
            shutil.rmtree(self.cache / name, ignore_errors=True)

    # --- workspaces ---

    @cached_property
    def lock_text(self) -> str:
        """Return the real tree's lock; all that it and its changes name is in the mirror then."""
        from seed import seed_real_tree  # noqa: PLC0415 - it needs this module

        return seed_real_tree(self)

    def real(self, side: Side) -> Workspace:
        """Return a side's copy of the real tree, built. Cases that change it leave it built, too.

        Raises:
            BenchError: It cannot be built, or not within the limit; it is tried once.
        """
        if side not in self._real:
            try:
                made = self.workspace(side, real_tree(), "real")
                self._real[side] = self.first_build("real", made)
            except BenchError as error:
                self._real[side] = error
        found = self._real[side]
        if isinstance(found, BenchError):
            raise found
        return found

    def first_build(self, case: str, workspace: Workspace) -> Workspace:
        """Build all for the first time, and return how it is to be built from then on.

        Raises:
            BenchError: It fails, or takes longer than the limit.
        """
        try:
            done = self.build(workspace)
        except BenchError as error:
            if workspace.side is not Side.BAKE or len(workspace.tree.images) <= BAKED_AT_ONCE:
                raise
            note = f"{BAKED_AT_ONCE} targets in a call, as with all in one it fails: {error.line}"
            self.put(case, NOTE, workspace.side.value, 0, None, "", note)
            workspace = replace(workspace, at_once=BAKED_AT_ONCE)
            done = self.build(workspace)
        self.say(f"  first build, {workspace.side.value}: {done.seconds:.1f} s")
        if done.timed_out:
            made, count = self._count_images(workspace), len(workspace.tree.images)
            raise BenchError(f"first build: {made} of {count} images in {self.limit_s:.0f} s")
        return workspace

    def _count_images(self, workspace: Workspace) -> int:
        """Return how many of a side's images the engine has."""
        words = ["docker", "images", "--format", "{{.Repository}}"]
        have = set(self.run(words, workspace.root).split())
        prefix = workspace.side.prefix
        return sum(f"{prefix}{name}" in have for name in workspace.tree.images)

    def workspace(self, side: Side, tree: Tree, name: str) -> Workspace:
        """Write a side's copy of a tree."""
        root = self.work / name / side.folder
        lock_text = self.lock_text if tree.real else ""
        write_files(root, tree)
        if side.reads_recipes:
            write_recipes(root, tree)
            if tree.real:
                (root / "orch.lock").write_text(lock_text)
            else:
                write_empty_lock(root)
        else:
            lock = parse_lock(lock_text) if tree.real else None
            write_dockerfiles(root, tree, lock, f"{self.url}/simple", side.prefix)
        return Workspace(side, root, tree)

    def lock(self, workspace: Workspace, case: str, run: int) -> None:
        """Lock a workspace of recipes anew; what that takes is told beside the build."""
        done = run_measured([ORCH, "lock"], workspace.root, self.environment)
        if done.code:
            raise BenchError(f"orch lock ended with {done.code}:\n{done.stderr[-3000:]}")
        self.put(case, "orch lock before it", workspace.side.value, run, done.seconds, "s")

    def build(
        self, workspace: Workspace, *, no_cache: bool = False, memory: bool = False, **more: str
    ) -> Measured:
        """Build a workspace within the limit; `more` is put into the environment.

        Raises:
            BenchError: It failed.
        """
        commands = [self.profiled(words) for words in workspace.commands(no_cache=no_cache)]
        environment = {**self.environment, **more}
        done = run_all(commands, workspace.root, environment, memory=memory, timeout_s=self.limit_s)
        if done.code and not done.timed_out:
            raise BenchError(
                f"{workspace.side.value} ended with {done.code}:\n{done.stderr[-3000:]}"
            )
        return done


@contextmanager
def lab(
    out: Path, runs: int, limit_s: float, share_s: float, profile: Path | None = None
) -> Iterator[Lab]:
    """Start the engine and the mirror; leave nothing running.

    A side's build is ended after `limit_s`, and repeated for about `share_s` in a case.

    With `profile` each `orch` that is measured writes that file, the last one remains.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    kept = base / "orch-bench"
    work = kept / f"work-{os.getpid()}"
    work.mkdir(parents=True)
    mirror = Mirror(kept / "mirror")
    try:
        with docker_engine("26") as engine:
            address = f"172.30.{engine.bridge.removeprefix('orchbr')}.1"
            mirror.folder.mkdir(exist_ok=True)
            with mirror.serving(address) as url:
                yield Lab(
                    work, kept, engine, mirror, url, Results(out), runs, limit_s, share_s, profile
                )
    finally:
        shutil.rmtree(work, ignore_errors=True)  # what was ended may still write
