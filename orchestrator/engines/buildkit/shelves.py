"""Where images come from and go to: the Docker engine itself, or the layout for other builders."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Protocol

from orchestrator.engines.buildkit.capabilities import Capabilities
from orchestrator.engines.buildkit.command import csv_field
from orchestrator.engines.docker.engine import DockerEngine
from orchestrator.engines.docker.exchange import Exchange
from orchestrator.engines.docker.presence import private_tag
from orchestrator.errors import BuildError, OrchError
from orchestrator.oci.imported import import_layout
from orchestrator.oci.layout import Layout
from orchestrator.ports import Made

_PRUNE = "docker builder prune frees the cache, docker image prune images that lost their tags"


class Shelf(Protocol):
    """A place that a builder takes siblings from, and that images are put into."""

    builder: str
    named_contexts: bool
    keeps_builds: bool
    """Whether the builder itself keeps what it builds, so that it needs no output."""

    def output(self, scratch: Path) -> str:
        """Return what `--output` says; empty for the builder's own way."""
        ...

    def address(self, name: str, digest: str) -> str:
        """Return where the builder finds an image, as the value of a named context."""
        ...

    def name(self, name: str, digest: str, reference: str) -> None:
        """Let the builder find an image by a reference, without a named context."""
        ...

    def diff_ids(self, name: str, digest: str) -> tuple[str, ...]:
        """Return the diffIDs of an image's layers, from the bottom up."""
        ...

    def put(self, name: str, digest: str, scratch: Path) -> Made:
        """Keep what was built."""
        ...

    def problem(self) -> str:
        """Return why the builder cannot be reached any more; empty where it can."""
        ...

    def space(self) -> str:
        """Return what takes room where the builder keeps things, and what frees it."""
        ...


class DockerShelf:
    """The Docker engine, which builds, and keeps what it builds under private tags."""

    keeps_builds = True

    def __init__(self, docker: DockerEngine, exchange: Exchange) -> None:
        self._docker = docker
        self._exchange = exchange
        self.builder = docker.address.context
        self.named_contexts = Capabilities.of(docker.version()).named_contexts

    def output(self, scratch: Path) -> str:  # noqa: ARG002 - the engine keeps what it builds
        """Leave it to the engine."""
        return ""

    def address(self, name: str, digest: str) -> str:
        """Return an image's private tag; it is loaded if the engine lacks it."""
        return f"docker-image://{self._exchange.to_engine(name, digest)}"

    def name(self, name: str, digest: str, reference: str) -> None:
        """Tag an image as a Dockerfile names it."""
        self._docker.tag(self._exchange.to_engine(name, digest), with_tag(reference))

    def diff_ids(self, name: str, digest: str) -> tuple[str, ...]:
        """Return the diffIDs of an image's layers."""
        return self._exchange.diff_ids(name, digest)

    def put(self, name: str, digest: str, scratch: Path) -> Made:  # noqa: ARG002 - as others
        """Give what was built its private tag.

        Raises:
            BuildError: The engine does not have it.
        """
        found = self._docker.find_image(digest)
        if found is None:
            raise BuildError(f"Docker lost {digest} as soon as it was built", hint="build again")
        self._docker.tag(found.digest, private_tag(name, found.digest))
        layers = self._docker.layers(found)
        self._exchange.know(found)
        return Made(found.digest, found.size_bytes, found.size_bytes, layers)

    def problem(self) -> str:
        """Ask the engine whether it is there."""
        if self._docker.answers():
            return ""
        return f"the Docker engine at {self._docker.address.url} stopped"

    def space(self) -> str:
        """Ask the engine; it may be too full to answer."""
        try:
            space = self._docker.space()
        except OrchError:
            return _PRUNE
        images, cache = space.images_bytes / 1e9, space.cache_bytes / 1e9
        return f"Docker's images take {images:.1f} GB, its build cache {cache:.1f} GB; {_PRUNE}"


class LayoutShelf:
    """The layout: what any buildx builder can be given images from, and gives them to."""

    named_contexts = True
    keeps_builds = False

    def __init__(self, builder: str, layout: Layout) -> None:
        self.builder = builder
        self._layout = layout
        self._lock = threading.Lock()

    def output(self, scratch: Path) -> str:
        """Ask for an OCI layout in a folder."""
        dest = csv_field(f"dest={scratch / 'image'}")
        return f"type=oci,tar=false,{dest}"

    def address(self, name: str, digest: str) -> str:  # noqa: ARG002 - as the other shelf
        """Return an image's place in the layout."""
        return f"oci-layout://{self._layout.folder.absolute()}@{digest}"

    def name(self, name: str, digest: str, reference: str) -> None:  # noqa: ARG002 - likewise
        """Refuse: other builders know no tags of this machine.

        Raises:
            BuildError: Always.
        """
        raise BuildError(
            f"a stage is named as the image {name}, and would be taken for it",
            hint="give the stage another name, or build with the Docker engine itself",
        )

    def diff_ids(self, name: str, digest: str) -> tuple[str, ...]:  # noqa: ARG002 - likewise
        """Return the diffIDs of an image's layers."""
        return tuple(layer.diff_id for layer in self._layout.read_image(digest)[0])

    def put(self, name: str, digest: str, scratch: Path) -> Made:  # noqa: ARG002 - likewise
        """Take what was built into the layout."""
        with self._lock:
            return Made(digest, *import_layout(self._layout, scratch / "image", digest))

    def problem(self) -> str:
        """Say that the builder is lost: nobody else can be asked."""
        return f"the builder {self.builder} is out of reach"

    def space(self) -> str:
        """Name what frees room; what takes it is not asked."""
        return f"docker buildx prune --builder {self.builder} frees its cache"


def with_tag(reference: str) -> str:
    """Return a reference with the tag that is implied where it has none."""
    return reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"


def read_digest(metadata: Path) -> str:
    """Return what an image is known by where it was built.

    Raises:
        BuildError: buildx did not say.
    """
    try:
        return str(json.loads(metadata.read_bytes())["containerimage.digest"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"buildx did not say what it built ({error!r})",
            hint="update Docker's buildx plugin; docker buildx version shows which it is",
        ) from error
