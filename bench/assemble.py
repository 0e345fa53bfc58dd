"""How fast this repository's own tree is assembled.

Works on a clone of the repository's last commit and on a copy of the cache's downloads, so that
neither the workspace nor the cache is touched and nothing is fetched while a clock runs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from processes import Measured, run_measured
from purewheel import pure_wheel

from orchestrator.graph import build_graph
from orchestrator.lockfile import Lock, parse_lock
from orchestrator.lockwriting import format_lock
from orchestrator.model import LockedWheel, Platform
from orchestrator.paths import Paths
from orchestrator.resolve.inputs import inputs_digest, read_tree_requirements
from orchestrator.workspace import read_workspace

REPOSITORY = Path(__file__).resolve().parent.parent
ORCH = Path(sys.executable).with_name("orch")
AMD64 = Platform("linux", "amd64")
HEAVY = "python-ml-torch"
"""With all that stands on it, left out of what is timed: its one wheel outweighs the rest."""

BASE, SERVICE = "python-base", "webhook"
MB = 1e6


@dataclass(frozen=True)
class Figure:
    """A figure, what it should be at most or at least, and what it was taken from."""

    name: str
    value: float
    unit: str
    target: float
    at_least: bool = False
    note: str = ""

    @property
    def holds(self) -> bool:
        return self.value >= self.target if self.at_least else self.value <= self.target

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        mark = "" if not self.target else f"{sign} {self.target:g} {'yes' if self.holds else 'NO'}"
        return f"{self.name:<44} {self.value:>9.2f} {self.unit:<5} {mark:<14} {self.note}"


class Bench:
    """The clone and the cache that figures are taken on."""

    def __init__(self, work: Path, runs: int) -> None:
        self.runs = runs
        self.repo, self.cache = work / "repo", work / "cache"
        subprocess.run(["git", "clone", "-q", REPOSITORY, self.repo], check=True)
        user = Paths.of(REPOSITORY)
        link_tree(user.downloads, self.cache / "downloads")
        if user.wheel_places.exists():
            shutil.copy(user.wheel_places, self.cache)
        graph = build_graph(read_workspace(self.repo))
        left_out = set(graph.descendants([HEAVY])) if HEAVY in graph.images else set()
        self.images = [name for name in graph.images if name not in left_out]

    def build(self, *, memory: bool = False) -> Measured:
        command = [str(ORCH), "build", "--offline", "--progress", "none", *self.images]
        done = run_measured(
            command, self.repo, {**os.environ, "ORCH_CACHE": str(self.cache)}, memory=memory
        )
        if done.code not in {0, 3}:  # 3: an image has no source here, which is no matter of speed
            sys.exit(f"orch build ended with {done.code}; is the cache warm?\n{done.stderr}")
        return done

    def forget(self) -> None:
        """Throw away all but the downloads."""
        for folder in self.cache.iterdir():
            if folder.is_dir() and folder.name != "downloads":
                shutil.rmtree(folder)
        shutil.rmtree(self.repo / ".orch", ignore_errors=True)

    def median(
        self, name: str, target: float, change: Callable[[int], None] = lambda _: None
    ) -> Figure:
        """Return the median of the builds after a change, made anew for each."""
        builds = []
        for run in range(self.runs):
            change(run)
            builds.append(self.build())
        cpu_s = statistics.median(build.cpu_s for build in builds)
        seconds = statistics.median(build.seconds for build in builds)
        return Figure(name, seconds, "s", target, note=f"{cpu_s:.2f} s of processor time")

    @property
    def lock(self) -> Lock:
        return parse_lock((self.repo / "orch.lock").read_text())


def link_tree(source: Path, target: Path) -> None:
    """Copy a folder of files that are never written in place, as links where possible."""
    if not source.is_dir():
        sys.exit(f"{source} does not exist: build once, so that what is timed fetches nothing")

    def link(one: str, other: str) -> None:
        try:
            os.link(one, other)
        except OSError:
            shutil.copy(one, other)

    shutil.copytree(source, target, copy_function=link, ignore=shutil.ignore_patterns("*.part"))


def whole_tree(bench: Bench) -> Iterator[Figure]:
    """Everything downloaded and nothing built: seconds and memory, with bytecode and without."""
    recipes = {file: file.read_text() for file in bench.repo.glob("*/*/image.toml")}
    for file, text in recipes.items():
        file.write_text(without_bytecode(text))
    bench.forget()
    plain = bench.build()
    for file, text in recipes.items():
        file.write_text(text)
    bench.forget()
    full = bench.build(memory=True)
    note = f"{len(bench.images)} images, {os.cpu_count()} cores"
    yield Figure("whole tree, downloaded, with bytecode", full.seconds, "s", 60, note=note)
    yield Figure("whole tree, downloaded, without bytecode", plain.seconds, "s", 25, note=note)
    yield Figure("  memory of all processes, shared once", full.pss_bytes / MB, "MB", 700)
    yield Figure("  memory of all processes, sum of RSS", full.rss_bytes / MB, "MB", 0)
    yield Figure("  memory of the largest process", full.largest_bytes / MB, "MB", 0)


def without_bytecode(recipe: str) -> str:
    if "\n[python]\n" in recipe:
        return recipe.replace("\n[python]\n", "\n[python]\nbytecode = false\n")
    return f"{recipe}\n[python]\nbytecode = false\n"


def changes(bench: Bench) -> Iterator[Figure]:
    """All images again after small changes."""
    bench.build()
    yield bench.median(f"a pure wheel added to {BASE}", 2, lambda run: add_pure_wheel(bench, run))
    source = next(iter(sorted((bench.repo / "services" / SERVICE / "app").glob("*.py"))))

    def edit(run: int) -> None:
        source.write_text(f"{source.read_text()}# {run}\n")

    yield bench.median(f"a file of {SERVICE} edited", 0.7, edit)
    yield bench.median("nothing changed", 0)


def add_pure_wheel(bench: Bench, run: int) -> None:
    """Ask for a small wheel in the base, lock it and put it among the downloads."""
    version = f"1.{run}"
    file, data = pure_wheel("orch-bench", version)
    digest = hashlib.sha256(data).hexdigest()
    target = bench.cache / "downloads" / digest[:2] / digest
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(data)
    requirements = bench.repo / "base" / BASE / "requirements.txt"
    lines = [x for x in requirements.read_text().splitlines() if not x.startswith("orch-bench")]
    requirements.write_text("\n".join([*lines, f"orch-bench=={version}", ""]))
    workspace = read_workspace(bench.repo)
    inputs = inputs_digest(
        workspace, build_graph(workspace), BASE, read_tree_requirements(workspace)[BASE]
    )
    new = LockedWheel("orch-bench", version, file, digest, len(data))
    lock = bench.lock
    images = dict(lock.images)
    for (name, platform), adds in lock.images.items():
        if name == BASE:
            kept = [wheel for wheel in adds.wheels if wheel.name != new.name]
            wheels = tuple(sorted([*kept, new], key=lambda wheel: wheel.name))
            images[name, platform] = replace(adds, wheels=wheels, inputs=inputs)
    (bench.repo / "orch.lock").write_text(format_lock(replace(lock, images=images)))


CASES = {"tree": whole_tree, "changes": changes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=CASES, action="append", help="measure only this")
    parser.add_argument("--runs", type=int, default=5, help="of the short cases; medians are shown")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    given = parser.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="orch-bench-") as work:
        bench = Bench(Path(work), given.runs)
        for name in given.only or CASES:
            for figure in CASES[name](bench):
                print(figure, flush=True)
                figures.append(figure)
    if given.json:
        rows = [asdict(figure) for figure in figures]
        given.json.write_text(json.dumps({"schema": "orch.bench/1", "figures": rows}, indent=2))


if __name__ == "__main__":
    main()
