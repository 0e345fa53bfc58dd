"""Trivial Dockerfiles, all cold: each run has an engine of its own that has built nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import BAKED_AT_ONCE, BenchError, Lab
from processes import Measured
from sides import Side, Workspace, run_all
from trees import Image, Tree, light_tree, write_files

from tests.real.docker_engine import docker_engine

_SIDES = (Side.ORCH_DOCKERFILES, Side.BAKE)


@dataclass(frozen=True, slots=True)
class ColdDockerfiles:
    """So many images, a `COPY` each, in three tiers.

    Bake, which fails with several hundreds, is given as many in a call as it builds.
    """

    images: int

    def __call__(self, lab: Lab, case: str, sides: Sequence[Side]) -> None:
        tree = light_tree(self.images)
        at_once = BAKED_AT_ONCE if self.images > BAKED_AT_ONCE else 0
        for run in range(lab.runs):
            for side in [side for side in _SIDES if side in sides]:
                workspace = Workspace(side, lab.work / case, tree, at_once)
                write_workspace(workspace)
                with docker_engine("26") as engine:
                    environment = {**lab.environment, **engine.environment()}
                    done = _build(lab, workspace, environment)
                lab.put(case, "seconds", side.value, run, done.seconds, "s")
                shutil.rmtree(workspace.root)


def _build(lab: Lab, workspace: Workspace, environment: Mapping[str, str]) -> Measured:
    done = run_all(workspace.commands(), workspace.root, environment, timeout_s=lab.limit_s)
    if done.code or done.timed_out:
        raise BenchError(f"{workspace.side.value} ended with {done.code}:\n{done.stderr[-3000:]}")
    return done


def write_workspace(workspace: Workspace) -> None:
    """Write the images' folders, and what the side reads besides."""
    root, tree = workspace.root, workspace.tree
    write_files(root, tree)
    for image in tree.images.values():
        text = f"FROM {image.parent or 'scratch'}\nCOPY app /app/{image.name}\n"
        (root / image.folder / "Dockerfile").write_text(text)
    (root / "orch.toml").write_text("")
    _write_bake_file(root, tree)


def _write_bake_file(root: Path, tree: Tree) -> None:
    targets = {image.name: _target(image) for image in tree.images.values()}
    document = {"group": {"default": {"targets": list(targets)}}, "target": targets}
    (root / "docker-bake.json").write_text(json.dumps(document))


def _target(image: Image) -> Mapping[str, object]:
    contexts = {image.parent: f"target:{image.parent}"} if image.parent else {}
    tags = [f"{Side.BAKE.folder}/{image.name}:latest"]
    return {"context": str(image.folder), "contexts": contexts, "tags": tags}
