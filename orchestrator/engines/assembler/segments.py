"""Making the segments of an image's packages, each once however many images want it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator import logs
from orchestrator.engines.assembler.bytecode import Interpreter
from orchestrator.engines.assembler.contents import Contents, has_own_layer, package_groups
from orchestrator.engines.assembler.interpreter import find_interpreter
from orchestrator.engines.assembler.jobs import (
    Workers,
    join_segments,
    make_deb_segment,
    make_wheel_layer,
    make_wheel_segment,
    result_of,
)
from orchestrator.engines.assembler.store import Store, key_of
from orchestrator.fetch import Downloads, may_be_tried_again
from orchestrator.files import SourceFile
from orchestrator.model import LockedDeb, LockedWheel
from orchestrator.oci.layer import Layer
from orchestrator.supply import Artifact


@dataclass(frozen=True, slots=True)
class Materials:
    """What images are assembled from: files of the workspace, and packages as things to fetch."""

    files: Mapping[str, Sequence[SourceFile]]
    deb: Callable[[LockedDeb], Artifact]
    wheel: Callable[[LockedWheel], Artifact]


class SegmentWorks:
    """Fetches packages and has their segments made; threads may share one."""

    def __init__(
        self, store: Store, downloads: Downloads, workers: Workers, materials: Materials
    ) -> None:
        self.store = store
        self.downloads = downloads
        self._workers = workers
        self.materials = materials
        self._begun: dict[str, Future[Any]] = {}
        self._lock = threading.Lock()
        self._unpacking = threading.Lock()

    def join(
        self, contents: Contents, groups: Sequence[tuple[str, Sequence[str]]], store: Store
    ) -> list[list[Joined]]:
        """Make layers, each of what it is called and the keys of its segments.

        Mostly one a group; several where segments share a path. Those that `store` knows stay
        as they are. All missing segments are begun before the first is waited for.

        Raises:
            OrchError: A package cannot be had, or cannot be laid out.
        """
        known = [_known_layers(store, keys) for _, keys in groups]
        wanted = {
            key: what
            for (what, keys), layers in zip(groups, known, strict=True)
            for key in keys
            if not layers
        }
        started = self._start(contents, wanted, self.missing(contents, store))
        joined: list[list[Joined]] = []
        for (what, keys), layers in zip(groups, known, strict=True):
            if layers:
                joined.append([Joined(layer, is_new=False) for layer in layers])
            elif joined_key(keys) in started:
                made = result_of(started[joined_key(keys)])
                joined.append([new_layer(layer) for layer in made])
            else:
                joined.append(self._join(what, keys, started))
        return joined

    def _join(
        self, what: str, keys: Sequence[str], started: Mapping[str, Future[Any]]
    ) -> list[Joined]:
        for key in keys:
            if key in started:
                result_of(started[key])
        job = self._workers.submit(
            join_segments, self.store.folder, joined_key(keys), list(keys), what
        )
        return [new_layer(layer) for layer in result_of(job)]

    def missing(self, contents: Contents, store: Store) -> dict[str, Artifact]:
        """Return the packages of an image that must be laid out, by the key of their segment.

        They are those of layers that `store` does not know, and that are no segments yet. Of a
        wheel with a layer to itself there is none.
        """
        own = contents.own
        groups = [keys for _, keys in package_groups(own) if not _known_layers(store, keys)]
        wanted = {key for keys in groups for key in keys if not store.has_segment(key)}
        return {
            **{key: self.materials.deb(deb) for deb, key in own.debs if key in wanted},
            **{key: self.materials.wheel(wheel) for wheel, key in own.wheels if key in wanted},
        }

    def _start(
        self, contents: Contents, wanted: Mapping[str, str], artifacts: Mapping[str, Artifact]
    ) -> dict[str, Future[Any]]:
        """Start what is wanted, segments by their key and layers of one wheel by theirs."""
        started: dict[str, Future[Any]] = {}
        for deb, key in contents.own.debs:
            if key in wanted and key in artifacts:
                interpreter = self._interpreter(contents) if contents.compiles(deb) else None
                started[key] = self._once(key, artifacts[key], make_deb_segment, deb, interpreter)
        for wheel, key in contents.own.wheels:
            if key in wanted and key in artifacts:
                bytecode = contents.own.image.recipe.bytecode
                interpreter = self._interpreter(contents) if bytecode else None
                how = (wheel.file, contents.venv, interpreter)
                if has_own_layer(wheel):
                    layer, what = joined_key([key]), wanted[key]
                    started[layer] = self._once(
                        layer, artifacts[key], make_wheel_layer, key, what, *how
                    )
                else:
                    started[key] = self._once(key, artifacts[key], make_wheel_segment, *how)
        return started

    def _once(
        self, key: str, artifact: Artifact, job: Callable[..., Any], *arguments: Any
    ) -> Future[Any]:
        """Submit a job when its file has come, once however many images want its segment."""
        with self._lock:
            begun = self._begun.get(key)
            if begun is not None and not may_be_tried_again(begun):
                return begun
            future: Future[Any] = Future()
            self._begun[key] = future

        def begin(download: Future[Path]) -> None:
            try:
                file = download.result()
                began_s = time.monotonic()
                inner = self._workers.submit(job, self.store.folder, key, file, *arguments)
                inner.add_done_callback(lambda done: _log_segment(done, artifact, began_s))
                inner.add_done_callback(lambda done: _copy_result(done, future))
            except BaseException as error:  # noqa: BLE001 - it is raised again by result()
                future.set_exception(error)

        self.downloads.start(artifact).add_done_callback(begin)
        return future

    def _interpreter(self, contents: Contents) -> Interpreter:
        with self._unpacking:
            return find_interpreter(
                contents.venv.python,
                contents.compiled_on,
                contents.compiled_by,
                lambda deb: self.downloads.start(self.materials.deb(deb)).result(),
                self.store.folder,
            )


@dataclass(frozen=True, slots=True)
class Joined:
    """A layer, and whether it was made now."""

    layer: Layer
    is_new: bool


def _known_layers(store: Store, keys: Sequence[str]) -> tuple[Layer, ...]:
    """Return the layers made before, if what is in them is known too."""
    if not all(store.has_info(key) for key in keys):
        return ()
    return store.find_layers(joined_key(keys))


def new_layer(layer: Layer) -> Joined:
    """Log that a layer was made."""
    logs.event("layer.made", what=layer.what, digest=layer.digest, size_bytes=layer.size_bytes)
    return Joined(layer, is_new=True)


def _log_segment(done: Future[Any], artifact: Artifact, began_s: float) -> None:
    """Log that a package was laid out; what it waited for a worker counts."""
    if not done.cancelled() and done.exception() is None:
        duration_s = round(time.monotonic() - began_s, 3)
        logs.event("segment.made", file=artifact.name, duration_s=duration_s)


def joined_key(keys: Sequence[str]) -> str:
    """Return the key of a layer made of segments."""
    return key_of("joined", list(keys))


def _copy_result(done: Future[Any], to: Future[Any]) -> None:
    if done.cancelled():
        to.cancel()
    elif error := done.exception():
        to.set_exception(error)
    else:
        to.set_result(done.result())
