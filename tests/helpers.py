"""What tests of the core share: workspaces, graphs and locks from a few words."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from orchestrator.graph import Graph, build_graph
from orchestrator.lockfile import ImageLock, Lock
from orchestrator.lockwriting import format_lock
from orchestrator.model import (
    Definition,
    Image,
    ImageKind,
    LockedDeb,
    LockedWheel,
    Platform,
    Recipe,
    Settings,
    Workspace,
)
from orchestrator.resolve.inputs import asked_of, inputs_digest, read_tree_requirements
from orchestrator.workspace import read_workspace

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
ROOT = "debian:bookworm"


def permitted_order(graph: Graph, seed: int) -> list[str]:
    """Return the images in some order in which parents go first."""
    chance, left, order = random.Random(seed), set(graph.images), list[str]()
    while left:
        ready = [name for name in graph.images if name in left]
        ready = [name for name in ready if not left.intersection(graph.parents[name])]
        order.append(chance.choice(ready))
        left.remove(order[-1])
    return order


def image_of(name: str, parent: str = ROOT, kind: ImageKind = ImageKind.BASE) -> Image:
    """Return an image that a recipe of one line defines."""
    path = PurePosixPath(kind.value, name)
    return Image(name, kind, Definition.RECIPE, path, path / "image.toml", Recipe(parent))


def graph_of(text: str) -> Graph:
    """Return the graph of `api: python-web; python-web: debian:bookworm`.

    Images come in the order given; one without parent stands on Debian.
    """
    images = {}
    for line in text.split(";"):
        name, _, parent = (part.strip() for part in line.partition(":"))
        images[name] = image_of(name, parent or ROOT)
    return build_graph(Workspace(Path("/ws"), Settings(Path("/ws/orch.toml")), images))


def write_tree(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder, by their paths in it; return the folder."""
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return root


def write_workspace(root: Path, images: Mapping[str, str]) -> Path:
    """Write a workspace of packageless images: their recipes, by folder.

    Nothing essential is asked for, so images of files alone are built without any download.
    """
    recipes = {f"{path}/image.toml": text for path, text in images.items()}
    return write_tree(root, {"orch.toml": "[debian]\nessential = []\n", **recipes})


def write_lock(root: Path, adds: Mapping[str, ImageLock] | None = None) -> Lock:
    """Write the lock of a workspace; what `adds` has not for an image, it does not add."""
    workspace = read_workspace(root)
    graph, lines = build_graph(workspace), read_tree_requirements(workspace)
    images = {
        (name, platform): replace(
            (adds or {}).get(name, ImageLock()),
            inputs=inputs_digest(workspace, graph, name, lines[name]),
        )
        for name in graph.locked
        for platform in workspace.settings.platforms
    }
    settings = workspace.settings
    asked = {name: asked_of(workspace, graph, name, lines[name]) for name in graph.locked}
    lock = Lock(settings.python.version, settings.debian.suite, {}, images, asked)
    (root / "orch.lock").write_text(format_lock(lock))
    return lock


def deb_of(name: str, version: str = "1.0", architecture: str = "amd64") -> LockedDeb:
    """Return a pinned Debian package whose digest follows from its name and version."""
    path = f"pool/main/{name[0]}/{name}/{name}_{version}_{architecture}.deb"
    return LockedDeb(name, version, architecture, _digest(name, version), 1000, path)


def wheel_of(name: str, version: str = "1.0", tag: str = "py3-none-any") -> LockedWheel:
    """Return a pinned wheel whose digest follows from its name, version and tag."""
    file = f"{name}-{version}-{tag}.whl"
    return LockedWheel(name, version, file, _digest(name, version, tag), 2000)


def _digest(*parts: str) -> str:

    return hashlib.sha256(" ".join(parts).encode()).hexdigest()
