"""Images on their way between the layout and a Docker engine, each carried once."""

from __future__ import annotations

import threading
from collections import defaultdict

from orchestrator.atomic import write_text
from orchestrator.engines.docker.engine import DockerEngine, EngineImage
from orchestrator.engines.docker.presence import private_tag
from orchestrator.errors import OrchError
from orchestrator.oci.archive import docker_archive
from orchestrator.oci.imported import import_archive, imported_file
from orchestrator.oci.layout import Layout


class Exchange:
    """Brings images to where they are needed. Threads share one.

    A digest is that of a manifest in the layout, or an image's in the engine. In the engine all
    have private tags, so that nobody's own names move.
    """

    def __init__(self, engine: DockerEngine, layout: Layout) -> None:
        self._engine = engine
        self._layout = layout
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._diff_ids: dict[str, tuple[str, ...]] = {}

    def to_engine(self, name: str, digest: str) -> str:
        """Return the tag of an image in the engine, loaded where it was not there.

        Raises:
            OrchError: Neither has the image, or the engine refuses it.
        """
        tag = private_tag(name, digest)
        with self._alone(digest):
            if digest in self._diff_ids:
                return tag
            image = self._engine.find_image(tag)
            if image is None:
                if not self._layout.has_image(digest):
                    raise _gone(name, digest)
                self._engine.load(docker_archive(self._layout, {tag: digest}))
                image = self._engine.find_image(tag)
            if image is None:
                raise OrchError(
                    f"Docker did not keep {tag}",
                    hint="see whether its disk is full: docker system df",
                )
            self._diff_ids[digest] = image.diff_ids
        return tag

    def know(self, image: EngineImage) -> None:
        """Take note that the engine has an image under its private tag."""
        with self._alone(image.digest):
            self._diff_ids[image.digest] = image.diff_ids

    def diff_ids(self, name: str, digest: str) -> tuple[str, ...]:
        """Return the diffIDs of an image's layers, from the bottom up.

        Raises:
            OrchError: Neither has the image.
        """
        self.to_engine(name, digest)
        return self._diff_ids[digest]

    def to_layout(self, name: str, digest: str) -> str:
        """Return the digest of an image in the layout, saved from the engine where it lacks.

        Raises:
            OrchError: Neither has the image.
        """
        if self._layout.has_image(digest):
            return digest
        with self._alone(digest):
            kept = imported_file(self._layout, digest)
            known = kept.read_text("utf-8") if kept.is_file() else ""
            if known and self._layout.has_image(known):
                return known
            if self._engine.find_image(digest) is None:
                raise _gone(name, digest)
            imported = import_archive(self._layout, self._engine.save(digest))
            write_text(kept, imported)
            return imported

    def _alone(self, digest: str) -> threading.Lock:
        with self._lock:
            return self._locks[digest]


def _gone(name: str, digest: str) -> OrchError:
    return OrchError(f"{name} is gone: nothing has {digest}", hint="build again; it is made anew")
