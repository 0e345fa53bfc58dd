"""How long `orch plan` takes with nothing changed, beside `git status` on the same tree.

    python bench/plan.py                 1,000 images and 20,000 files
    python bench/plan.py 5000 100000     as many as you say

Prints medians of several runs, their ratio, and the peak memory of `orch plan`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from orchestrator.app.fingerprinting import fingerprint_images
from orchestrator.app.opened import open_workspace
from orchestrator.lockfile import ImageLock, Lock, format_lock
from orchestrator.model import Platform
from orchestrator.resolve.inputs import inputs_digest, read_tree_requirements
from orchestrator.state import State

TIERS = 9
PLATFORM = Platform("linux", "amd64")


def write_workspace(root: Path, images: int, files: int) -> None:
    """Write a workspace of `images` in nine tiers, `files` files in all, as a git repository."""
    (root / "orch.toml").write_text('bases = ["images/*"]\nservices = []\n', "utf-8")
    each = files // images
    for number in range(images):
        folder = root / "images" / f"image-{number:05}"
        (folder / "app").mkdir(parents=True)
        parent = "debian:bookworm" if number < TIERS else f"image-{number - images // TIERS:05}"
        if number < images // TIERS:
            parent = "debian:bookworm"
        (folder / "image.toml").write_text(
            f'from = "{parent}"\n[[files]]\nfrom = "app"\nto = "/app"\n'
            f'[config]\nuser = "1000"\nenv = {{ NUMBER = "{number}" }}\n',
            "utf-8",
        )
        for index in range(each - 1):
            (folder / "app" / f"module_{index}.py").write_text(f"value = {number * index}\n" * 20)
    run(["git", "init", "-q"], root)
    (root / ".gitignore").write_text(".orch/\n")
    write_lock_and_records(root)
    run(["git", "add", "-A"], root)
    run(["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "x"], root)


def write_lock_and_records(root: Path) -> None:
    """Pretend that everything is locked and built: the plan then has nothing to do."""
    opened = open_workspace(root)
    lines = read_tree_requirements(opened.workspace)
    adds = {
        (name, PLATFORM): ImageLock(
            inputs=inputs_digest(opened.workspace, opened.graph, name, lines[name])
        )
        for name in opened.graph.images
    }
    lock = Lock("3.11", "bookworm", {}, adds)
    (root / "orch.lock").write_text(format_lock(lock), "utf-8")
    made = fingerprint_images(opened, lock, PLATFORM, opened.graph.images)
    state = State(opened.paths.database)
    blobs = opened.paths.layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    manifest = json.dumps({"config": {"digest": "sha256:c", "size": 1}, "layers": []})
    (blobs / "c").write_text("x")
    (blobs / "m").write_text(manifest)
    for name, fingerprint in made.prints.items():
        state.write(name, PLATFORM.key, fingerprint, "sha256:m", 1.0)


def run(command: Sequence[str], folder: Path) -> float:
    """Run a command and return how long it took, in seconds."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=int, nargs="?", default=1000)
    parser.add_argument("files", type=int, nargs="?", default=20000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    plan = [sys.executable, "-m", "orchestrator", "plan", "--platform", "linux/amd64"]
    status = ["git", "status", "--porcelain"]
    with tempfile.TemporaryDirectory(prefix="orch-bench-") as folder:
        root = Path(folder)
        write_workspace(root, arguments.images, arguments.files)
        time.sleep(2.5)  # files younger than that are not trusted by the digest cache
        run(plan, root), run(status, root)
        pairs = [(run(plan, root), run(status, root)) for _ in range(arguments.runs)]
    mine = statistics.median(pair[0] for pair in pairs)
    git = statistics.median(pair[1] for pair in pairs)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{arguments.images} images, {arguments.files} files, {os.cpu_count()} processors")
    print(f"orch plan   {mine:.2f} s")
    print(f"git status  {git:.2f} s   ratio {mine / git:.1f}")
    print(f"peak memory of one process {peak:.0f} MB")


if __name__ == "__main__":
    main()
