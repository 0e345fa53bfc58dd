"""Equal workspaces: one tree of images, as recipes and as well-written Dockerfiles.

A `Tree` says what there is; `write_recipes` and `write_dockerfiles` write it for the two kinds of
side. What a Dockerfile installs with pip is pinned from the lock of the recipes, so that both
sides have the same versions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from purewheel import pure_wheel

from orchestrator.graph import build_graph
from orchestrator.lockfile import ImageLock, Lock
from orchestrator.lockwriting import format_lock
from orchestrator.model import Platform
from orchestrator.resolve.inputs import inputs_digest, read_tree_requirements
from orchestrator.workspace import read_workspace

PLATFORM = Platform("linux", "amd64")
VENV = "/opt/venv"
ROOT_IMAGE = "python-slim:bench"
"""What the Dockerfiles' root stands on: Debian with Python and apt, as the public image is."""

ROOT_PACKAGES = ("python3.11", "ca-certificates")
"""What the root image has of what recipes must ask for."""

ONE = "svc-jinja2"
"""The service that changes are made to."""

LINES = 20
FILES = 20


@dataclass(slots=True)
class Image:
    """An image; `requirements` are lines as a person writes them."""

    name: str
    parent: str = ""
    packages: list[str] = field(default_factory=list)
    requirements: list[str] = field(default_factory=list)
    files: int = FILES
    is_service: bool = True

    @property
    def folder(self) -> str:
        return f"{'services' if self.is_service else 'base'}/{self.name}"


@dataclass(frozen=True, slots=True)
class Own:
    """A package of the bench's own: the image that asks for it, and its version."""

    image: str
    version: str


@dataclass(slots=True)
class Tree:
    """Images, parents first. A `real` one has packages, the others files alone.

    `own` packages, by name, are small wheels that can have any version: what changes move.
    """

    images: dict[str, Image]
    real: bool
    bytecode: bool = True
    own: dict[str, Own] = field(default_factory=dict)

    @property
    def root(self) -> Image:
        return next(iter(self.images.values()))

    @property
    def services(self) -> list[Image]:
        return [image for image in self.images.values() if image.is_service]

    def tiers(self) -> list[list[Image]]:
        """Return the images by how many stand below them."""
        depth: dict[str, int] = {}
        for image in self.images.values():
            depth[image.name] = depth[image.parent] + 1 if image.parent else 0
        found: list[list[Image]] = [[] for _ in range(max(depth.values()) + 1)]
        for name, number in depth.items():
            found[number].append(self.images[name])
        return found


def real_tree(*, bytecode: bool = True) -> Tree:
    """Return sixteen images with real packages: a root, three bases, twelve services."""
    images = [
        _base("python-base", "", ["tzdata", "libstdc++6"], "httpx pydantic structlog"),
        _base("python-web", "python-base", ["libpq5"], "fastapi uvicorn sqlalchemy"),
        _base("python-ml", "python-base", ["libgomp1"], "numpy scipy"),
        _base("python-jobs", "python-base", ["libxml2"], "celery lxml"),
    ]
    own = {
        "python-web": ("jinja2", "aiofiles", "python-multipart", "websockets"),
        "python-ml": ("pandas", "joblib", "networkx", "orjson"),
        "python-jobs": ("redis", "boto3", "pyyaml", "requests"),
    }
    for parent, names in own.items():
        images += [Image(f"svc-{name}", parent, [], [name]) for name in names]
    own_packages = {"orch-bench-all": Own("python-base", "1.0"), "orch-bench-one": Own(ONE, "1.0")}
    by_name = {image.name: image for image in images}
    return Tree(by_name, real=True, bytecode=bytecode, own=own_packages)


def light_tree(count: int) -> Tree:
    """Return images with files alone, in three tiers, one of ten a base."""
    bases = max(2, count // 10)
    images = [Image("base-0000", files=5, is_service=False)]
    images += [
        Image(f"base-{n:04}", "base-0000", files=5, is_service=False) for n in range(1, bases)
    ]
    services = range(count - bases)
    images += [Image(f"svc-{n:04}", f"base-{1 + n % (bases - 1):04}", files=5) for n in services]
    return Tree({image.name: image for image in images}, real=False)


def _base(name: str, parent: str, packages: list[str], requirements: str) -> Image:
    return Image(name, parent, packages, requirements.split(), 5, is_service=False)


def write_files(root: Path, tree: Tree) -> None:
    """Write the files of every image's application: the same in every workspace."""
    for image in tree.images.values():
        app = root / image.folder / "app"
        app.mkdir(parents=True)
        for number in range(image.files):
            text = (
                f'"""Module {number} of {image.name}."""\n\n'
                + f"VALUE_{number} = {number}\n" * LINES
            )
            (app / f"module_{number:02}.py").write_text(text)


# --- recipes ---


def write_recipes(root: Path, tree: Tree) -> None:
    """Write what orch is to know of the tree; files and lock are for others to write."""
    settings = "" if tree.real else "[debian]\nessential = []\n"
    (root / "orch.toml").write_text(settings)
    write_constraints(root, tree)
    for image in tree.images.values():
        folder = root / image.folder
        (folder / "image.toml").write_text(_recipe(tree, image))
        if tree.real:
            asked = [*image.requirements, *own_of(tree, image)]
            (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in asked))


def write_constraints(root: Path, tree: Tree) -> None:
    lines = [f"{name}=={own.version}\n" for name, own in sorted(tree.own.items())]
    (root / "constraints.txt").write_text("".join(lines))


def own_of(tree: Tree, image: Image) -> list[str]:
    return sorted(name for name, own in tree.own.items() if own.image == image.name)


def _recipe(tree: Tree, image: Image) -> str:
    packages = image.packages if image.parent else [*ROOT_PACKAGES, *image.packages]
    lines = [f'from = "{image.parent or "debian:bookworm"}"']
    if tree.real:
        lines += ["[system]", f"packages = {json.dumps(packages)}"]
        lines += ["[python]", 'requirements = ["requirements.txt"]']
        lines += [f"bytecode = {str(tree.bytecode).lower()}"]
    lines += ["[[files]]", 'from = "app"', f'to = "/app/{image.name}"']
    if not image.parent:
        lines += ["[config]", 'workdir = "/app"']
    return "\n".join([*lines, ""])


def write_empty_lock(root: Path) -> None:
    """Lock a workspace that has no packages, without asking any index."""
    workspace = read_workspace(root)
    graph, lines = build_graph(workspace), read_tree_requirements(workspace)
    adds = {
        (name, PLATFORM): ImageLock(inputs=inputs_digest(workspace, graph, name, lines[name]))
        for name in graph.images
    }
    (root / "orch.lock").write_text(format_lock(Lock("3.11", "bookworm", {}, adds)), "utf-8")


# --- Dockerfiles ---

_APT = """\
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \\
    --mount=type=cache,target=/var/lib/apt,sharing=locked \\
    apt-get update -q && apt-get install -qy --no-install-recommends {packages}
"""
_PIP = """\
RUN --mount=type=cache,target=/root/.cache/pip \\
    --mount=type=bind,source=requirements.txt,target=/tmp/requirements.txt \\
    {venv}/bin/pip install --no-deps --require-hashes {compiling}-r /tmp/requirements.txt
"""


def write_dockerfiles(
    root: Path, tree: Tree, lock: Lock | None, index: str, prefix: str = ""
) -> None:
    """Write Dockerfiles and what drives them: a bake file, a Compose file, a Makefile.

    Images are named with the prefix before their names.
    """
    for image in tree.images.values():
        folder = root / image.folder
        write_dockerfile(root, tree, image, index, prefix)
        (folder / ".dockerignore").write_text("**/__pycache__\n")
        if lock is not None:
            write_pins(root, tree, image, lock)
    (root / "docker-bake.json").write_text(json.dumps(_bake(tree, prefix), indent=1))
    (root / "compose.json").write_text(json.dumps(_compose(tree, prefix), indent=1))
    (root / "Makefile").write_text(_makefile(tree, prefix))
    (root / "orch.toml").write_text("")


def write_dockerfile(root: Path, tree: Tree, image: Image, index: str, prefix: str) -> None:
    text = _dockerfile(tree, image, index, prefix)
    (root / image.folder / "Dockerfile").write_text(text)


def write_pins(root: Path, tree: Tree, image: Image, lock: Lock) -> None:
    """Write what an image adds as pip-compile would: pinned, with hashes.

    The lock says so of all but the bench's own packages, which have the version of the tree.
    """
    locked = [w for w in lock.image(image.name, PLATFORM).wheels if w.name not in tree.own]
    pins = {wheel.name: (wheel.version, wheel.sha256) for wheel in locked}
    for name in own_of(tree, image):
        version = tree.own[name].version
        pins[name] = (version, hashlib.sha256(pure_wheel(name, version)[1]).hexdigest())
    lines = [f"{name}=={v} --hash=sha256:{digest}\n" for name, (v, digest) in sorted(pins.items())]
    file = root / image.folder / "requirements.txt"
    if not file.exists() or file.read_text() != "".join(lines):
        file.write_text("".join(lines))


def _dockerfile(tree: Tree, image: Image, index: str, prefix: str) -> str:
    outside = ROOT_IMAGE if tree.real else "scratch"
    text = f"FROM {prefix + image.parent if image.parent else outside}\n"
    if tree.real and not image.parent:
        text += f"ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_INDEX_URL={index}\n"
        text += f"ENV PIP_TRUSTED_HOST={urlsplit(index).hostname}\n"
    if image.packages:
        text += _APT.format(packages=" ".join(image.packages))
    if tree.real and not image.parent:
        text += f"RUN python3.11 -m venv {VENV}\n"
    if tree.real:
        compiling = "" if tree.bytecode else "--no-compile "
        text += _PIP.format(venv=VENV, compiling=compiling)
    text += f"COPY app /app/{image.name}\n"
    return text if image.parent else f"{text}WORKDIR /app\n"


def _bake(tree: Tree, prefix: str) -> Mapping[str, object]:
    targets = {}
    for image in tree.images.values():
        target: dict[str, object] = {
            "context": image.folder,
            "tags": [f"{prefix}{image.name}:latest"],
        }
        if image.parent:
            target["contexts"] = {f"{prefix}{image.parent}": f"target:{image.parent}"}
        targets[image.name] = target
    return {"group": {"default": {"targets": list(targets)}}, "target": targets}


def _compose(tree: Tree, prefix: str) -> Mapping[str, object]:
    services = {
        image.name: {"image": f"{prefix}{image.name}:latest", "build": image.folder}
        for image in tree.images.values()
    }
    return {"name": "bench", "services": services}


def _makefile(tree: Tree, prefix: str) -> str:
    names = list(tree.images)
    lines = [f"all: {' '.join(names)}", f".PHONY: all {' '.join(names)}"]
    for image in tree.images.values():
        lines.append(f"{image.name}: {image.parent}")
        lines.append(f"\tdocker build --quiet --tag {prefix}{image.name}:latest {image.folder}")
    return "\n".join([*lines, ""])
