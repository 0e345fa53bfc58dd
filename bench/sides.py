"""The sides: what people type to bring all images of a workspace up to date, on each."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from processes import Measured, run_measured
from trees import Tree

ORCH = str(Path(sys.executable).with_name("orch"))


class Side(Enum):
    """Who builds. The value is how tables name it."""

    ORCH = "orch"
    ORCH_DOCKERFILES = "orch, Dockerfiles"
    BAKE = "bake"
    COMPOSE = "compose"
    MAKE = "make"

    @property
    def reads_recipes(self) -> bool:
        return self is Side.ORCH

    @property
    def prefix(self) -> str:
        """Return what stands before its images' names: each side has names of its own."""
        return "" if self in {Side.ORCH, Side.ORCH_DOCKERFILES} else f"{self.folder}/"

    @property
    def folder(self) -> str:
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Workspace:
    """A side's own copy of a tree.

    `at_once` is how many targets bake is given in a call, where it is not all.
    """

    side: Side
    root: Path
    tree: Tree
    at_once: int = 0

    def commands(self, *, no_cache: bool = False) -> list[list[str]]:
        """Return what is typed; `no_cache` is for bake alone."""
        if self.side in {Side.ORCH, Side.ORCH_DOCKERFILES}:
            return [[ORCH, "build", "--progress", "none"]]
        if self.side is Side.BAKE:
            extra = ["--no-cache"] if no_cache else []
            bake = ["docker", "buildx", "bake", "--progress", "quiet", *extra]
            return [[*bake, *names] for names in self._calls()]
        if self.side is Side.MAKE:
            return [["make", "--silent", f"-j{os.cpu_count()}"]]
        compose = ["docker", "compose", "--progress", "quiet", "--file", "compose.json", "build"]
        tiers = self.tree.tiers()
        return [[*compose, *(image.name for image in tier)] for tier in tiers]

    def _calls(self) -> list[list[str]]:
        """Return the targets of each call of bake, those on one base together; empty for all."""
        if not self.at_once:
            return [[]]
        tiers = self.tree.tiers()
        names = [i.name for tier in tiers for i in sorted(tier, key=lambda image: image.parent)]
        return [names[start : start + self.at_once] for start in range(0, len(names), self.at_once)]


def run_all(
    commands: Sequence[Sequence[str]],
    folder: Path,
    environment: Mapping[str, str],
    *,
    memory: bool = False,
    timeout_s: float = 0.0,
) -> Measured:
    """Run commands one after the other until one fails."""
    whole = Measured(0.0, 0, "")
    for command in commands:
        left_s = timeout_s - whole.seconds if timeout_s else 0.0
        one = run_measured(command, folder, environment, memory=memory, timeout_s=left_s)
        whole.seconds += one.seconds
        whole.cpu_s += one.cpu_s
        whole.code, whole.stderr = one.code, one.stderr
        whole.timed_out = one.timed_out
        whole.rss_bytes = max(whole.rss_bytes, one.rss_bytes)
        whole.pss_bytes = max(whole.pss_bytes, one.pss_bytes)
        whole.largest_bytes = max(whole.largest_bytes, one.largest_bytes)
        if one.code:
            break
    return whole
