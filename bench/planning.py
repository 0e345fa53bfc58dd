"""`orch plan` with nothing changed, beside `git status`, on trees of up to 10,000 images."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import BenchError, Lab
from processes import Measured, run_measured
from sides import ORCH, Side

from orchestrator.app.fingerprinting import fingerprint_images
from orchestrator.app.opened import open_workspace
from orchestrator.lockfile import ImageLock, Lock
from orchestrator.lockwriting import format_lock
from orchestrator.model import Platform
from orchestrator.resolve.inputs import inputs_digest, read_tree_requirements
from orchestrator.state import State

MB = 1e6
TIERS = 9
FILES_EACH = 20
PLATFORM = Platform("linux", "amd64")
STATUS = "git status"
_TRUSTED_AFTER_S = 2.5
"""Files younger than that are not trusted by caches of what files hold, git's neither."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A tree of so many images, twenty files each, in which nothing changed."""

    images: int

    def __call__(self, lab: Lab, case: str, _sides: Sequence[Side]) -> None:
        root = lab.work / case
        root.mkdir()
        write_workspace(root, self.images, self.images * FILES_EACH)
        time.sleep(_TRUSTED_AFTER_S)
        plan = [ORCH, "plan", "--platform", PLATFORM.key]
        status = ["git", "status", "--porcelain"]
        for command in (plan, status):
            _measured(lab, command, root)
        for run in range(lab.runs):
            for side, command in (("orch", plan), (STATUS, status)):
                seconds = _measured(lab, command, root).seconds
                lab.put(case, "seconds", side, run, seconds, "s")
        done = _measured(lab, plan, root, memory=True)
        lab.put(case, "memory, all processes", "orch", 0, done.pss_bytes / MB, "MB")
        shutil.rmtree(root)


def _measured(lab: Lab, command: Sequence[str], root: Path, *, memory: bool = False) -> Measured:
    done = run_measured(
        lab.profiled(command), root, lab.environment, memory=memory, timeout_s=lab.limit_s
    )
    if done.code:
        raise BenchError(f"{' '.join(command)} ended with {done.code}:\n{done.stderr[-3000:]}")
    return done


def write_workspace(root: Path, images: int, files: int) -> None:
    """Write a workspace of `images` in nine tiers, `files` files in all, as a git repository."""
    (root / "orch.toml").write_text('bases = ["images/*"]\nservices = []\n', "utf-8")
    each = files // images
    for number in range(images):
        folder = root / "images" / f"image-{number:05}"
        (folder / "app").mkdir(parents=True)
        is_root = number < max(TIERS, images // TIERS)
        parent = "debian:bookworm" if is_root else f"image-{number - images // TIERS:05}"
        (folder / "image.toml").write_text(
            f'from = "{parent}"\n[[files]]\nfrom = "app"\nto = "/app"\n'
            f'[config]\nuser = "1000"\nenv = {{ NUMBER = "{number}" }}\n',
            "utf-8",
        )
        for index in range(each - 1):
            (folder / "app" / f"module_{index}.py").write_text(f"value = {number * index}\n" * 20)
    _git(root, "init", "-q")
    (root / ".gitignore").write_text(".orch/\n")
    _write_lock_and_records(root)
    _git(root, "add", "-A")
    _git(root, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "x")


def _git(root: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=root, check=True, stdout=subprocess.DEVNULL)


def _write_lock_and_records(root: Path) -> None:
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
