"""The assembler: lays out packages, wheels and files as layers; no daemon, nothing is run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.atomic import write_text
from orchestrator.engines.assembler.clashes import check_clashes
from orchestrator.engines.assembler.closure import check_closure, closure_key
from orchestrator.engines.assembler.contents import Contents, contents_of, infos, wheel_groups
from orchestrator.engines.assembler.deb.accounts import User, resolve_user
from orchestrator.engines.assembler.deb.finalise import finaliser_entries
from orchestrator.engines.assembler.interpreter import find_interpreter
from orchestrator.engines.assembler.jobs import (
    Workers,
    join_segments,
    make_deb_segment,
    make_wheel_segment,
    result_of,
)
from orchestrator.engines.assembler.runtime import runtime_config
from orchestrator.engines.assembler.store import Store, key_of
from orchestrator.engines.assembler.venv import venv_entries
from orchestrator.engines.assembler.wheel.bytecode import Interpreter
from orchestrator.fetch import Artifact, Downloads
from orchestrator.files import SourceFile
from orchestrator.graph import Graph
from orchestrator.lockfile import Lock
from orchestrator.model import FileFetch, LockedDeb, LockedWheel, Settings
from orchestrator.oci.image import BuiltImage, make_image
from orchestrator.oci.layer import Layer
from orchestrator.oci.layout import Layout
from orchestrator.oci.segment import SegmentInfo
from orchestrator.oci.tar import Entry, EntryKind
from orchestrator.plan import Step
from orchestrator.ports import Made

_HOME_MODE = 0o755


@dataclass(frozen=True, slots=True)
class Materials:
    """What images are assembled from: files of the workspace, and packages as things to fetch."""

    files: Mapping[str, Sequence[SourceFile]]
    deb: Callable[[LockedDeb], Artifact]
    wheel: Callable[[LockedWheel], Artifact]


class Assembler:
    """An engine for recipes.

    A layer is a function of its own inputs and of nothing below it: what an ancestor gains
    costs its dependents a manifest. Threads may share an assembler.
    """

    def __init__(
        self,
        graph: Graph,
        lock: Lock,
        settings: Settings,
        materials: Materials,
        store: Store,
        layout: Layout,
        downloads: Downloads,
        workers: Workers,
    ) -> None:
        self._graph = graph
        self._lock = lock
        self._settings = settings
        self._materials = materials
        self._store = store
        self._layout = layout
        self._downloads = downloads
        self._workers = workers
        self._interpreters = threading.Lock()
        self._making: dict[str, Future[Any]] = {}
        self._making_lock = threading.Lock()

    def start_fetching(self, steps: Sequence[Step]) -> None:
        """Begin all downloads that steps will need, in their order."""
        for step in steps:
            contents = self._contents(step)
            for deb, key in contents.own.debs:
                if not self._store.has_segment(key):
                    self._downloads.start(self._materials.deb(deb))
            for wheel, key in contents.own.wheels:
                if wheel.is_wheel and not self._store.has_segment(key):
                    self._downloads.start(self._materials.wheel(wheel))

    def missing_bytes(self, steps: Sequence[Step]) -> int:
        """Return the size of the packages that steps need and that are no segments yet."""
        total = 0
        for step in steps:
            own = self._contents(step).own
            sizes = [(key, deb.size_bytes) for deb, key in own.debs]
            sizes += [(key, wheel.size_bytes) for wheel, key in own.wheels]
            total += sum(size for key, size in sizes if not self._store.has_segment(key))
        return total

    def build(self, step: Step, parents: Mapping[str, str]) -> Made:
        """Assemble an image and put its blobs into the layout, without a name.

        Raises:
            OrchError: An input cannot be had, or does not make a sound image.
        """
        contents = self._contents(step)
        known: set[str] = set()
        layers = self._own_layers(contents, known)
        self._check(contents)
        image = self._make_image(contents, layers, next(iter(parents.values()), ""))
        for layer in layers:
            self._layout.add_file(layer.digest, self._store.blob_path(layer.digest))
        self._layout.add_blob(image.config)
        self._layout.add_blob(image.manifest)
        return Made(
            image.digest,
            image.size_bytes,
            image.unpacked_bytes,
            image.layers,
            frozenset(layer.digest for layer in image.layers if layer not in layers)
            | frozenset(known),
        )

    def _contents(self, step: Step) -> Contents:
        return contents_of(self._graph, self._lock, self._settings, step.platform, step.image.name)

    def _own_layers(self, contents: Contents, known: set[str]) -> list[Layer]:
        """Make the layers an image adds; `known` is told those that were there already."""
        pending: list[tuple[str, str, list[str]]] = []
        if contents.own.debs:
            what = f"{len(contents.own.debs)} Debian packages"
            pending.append(("debs", what, [key for _, key in contents.own.debs]))
        for what, keys in wheel_groups(contents.own):
            pending.append(("wheels", what, keys))
        segments = self._start_segments(contents, [keys for _, _, keys in pending])
        made = [(kind, self._join(what, keys, segments, known)) for kind, what, keys in pending]
        system = [layer for kind, layer in made if kind == "debs"]
        python = [layer for kind, layer in made if kind == "wheels"]
        system += self._finaliser_layer(contents, known)
        if contents.begins_venv:
            entries = venv_entries(contents.venv)
            key = key_of("venv", contents.venv.path, contents.venv.python)
            system.append(self._entries_layer(key, entries, "virtual environment", known))
        fetched = [self._fetched_layer(fetch, known) for fetch in contents.own.image.recipe.fetches]
        return [*system, *python, *fetched, *self._files_layer(contents, known)]

    def _start_segments(
        self, contents: Contents, groups: Sequence[Sequence[str]]
    ) -> dict[str, Future[Any]]:
        """Start the segments that are missing and whose layer is missing too."""
        wanted = {
            key
            for keys in groups
            if self._store.find_layer(_joined_key(keys)) is None
            for key in keys
        }
        started: dict[str, Future[Any]] = {}
        for deb, key in contents.own.debs:
            if key in wanted and not self._store.has_segment(key):
                artifact = self._materials.deb(deb)
                started[key] = self._once(key, make_deb_segment, artifact, deb)
        interpreter: Interpreter | None = None
        for wheel, key in contents.own.wheels:
            if key in wanted and not self._store.has_segment(key):
                if interpreter is None and contents.own.image.recipe.bytecode:
                    interpreter = self._interpreter(contents)
                artifact = self._materials.wheel(wheel)
                arguments = (wheel.file, contents.venv, interpreter)
                started[key] = self._once(key, make_wheel_segment, artifact, *arguments)
        return started

    def _once(
        self, key: str, job: Callable[..., None], artifact: Artifact, *arguments: Any
    ) -> Future[Any]:
        """Start a job when its file has come, once however many images want its segment."""
        with self._making_lock:
            if key in self._making:
                return self._making[key]
            future: Future[Any] = Future()
            self._making[key] = future

        def begin(download: Future[Path]) -> None:
            try:
                file = download.result()
                inner = self._workers.submit(job, self._store.folder, key, file, *arguments)
                inner.add_done_callback(lambda done: _copy_result(done, future))
            except BaseException as error:  # noqa: BLE001 - it is raised again by result()
                future.set_exception(error)

        self._downloads.start(artifact).add_done_callback(begin)
        return future

    def _interpreter(self, contents: Contents) -> Interpreter:
        with self._interpreters:
            return find_interpreter(
                contents.venv.python,
                contents.platform,
                contents.debs,
                lambda deb: self._downloads.start(self._materials.deb(deb)).result(),
                self._store.folder,
            )

    def _join(
        self,
        what: str,
        keys: Sequence[str],
        started: Mapping[str, Future[Any]],
        known: set[str],
    ) -> Layer:
        joined = _joined_key(keys)
        if layer := self._store.find_layer(joined):
            known.add(layer.digest)
            return layer
        for key in keys:
            if key in started:
                result_of(started[key])
        return result_of(
            self._workers.submit(join_segments, self._store.folder, joined, keys, what)
        )

    def _finaliser_layer(self, contents: Contents, known: set[str]) -> list[Layer]:
        own, users = contents.own, [part.user for part in contents.inherited]
        if not own.debs and own.user in {"", *users[-1:]}:
            return []
        inherited_keys = [key for part in contents.inherited for _, key in part.debs]
        key = key_of(
            "finalise",
            contents.platform.key,
            inherited_keys,
            [key for _, key in own.debs],
            own.user,
            users,
        )
        if layer := self._store.find_layer(key):
            known.add(layer.digest)
            return [layer]
        entries = finaliser_entries(
            infos(self._store, contents.inherited),
            infos(self._store, [own]),
            contents.platform,
            user=own.user,
            inherited_users=users,
        )
        return [self._entries_layer(key, entries, "system files", known)] if entries else []

    def _fetched_layer(self, fetch: FileFetch, known: set[str]) -> Layer:
        artifact = Artifact(
            fetch.url,
            fetch.sha256,
            0,
            lambda: (fetch.url,),
            gone_hint="change url and sha256 under [[fetch]]",
        )
        file = self._downloads.start(artifact).result()
        entry = Entry(fetch.target.strip("/"), size_bytes=file.stat().st_size)
        key = key_of("fetch", fetch.target, fetch.sha256)
        return self._entries_layer(key, [(entry, file)], fetch.target, known)

    def _files_layer(self, contents: Contents, known: set[str]) -> list[Layer]:
        files = self._materials.files.get(contents.own.image.name, ())
        if not files:
            return []
        user = self._user(contents)
        entries = [(_entry_of(file, user), file.source) for file in files]
        rows = [
            (entry.path, entry.mode, entry.uid, entry.gid, file.sha256, file.link)
            for (entry, _), file in zip(entries, files, strict=True)
        ]
        key = key_of("files", rows)
        with_data = [
            (entry, b"" if entry.kind is EntryKind.SYMLINK else source) for entry, source in entries
        ]
        return [self._entries_layer(key, with_data, "files", known)]

    def _entries_layer(
        self, key: str, entries: Sequence[tuple[Entry, Any]], what: str, known: set[str]
    ) -> Layer:
        if layer := self._store.find_layer(key):
            known.add(layer.digest)
            return layer
        return self._store.write_entries(key, entries, what)

    def _check(self, contents: Contents) -> None:
        """Check an image's packages against each other, once for the same packages."""
        check_clashes(contents, self._store)
        marker = self._store.folder / "checked" / closure_key(contents)
        if not marker.is_file():
            check_closure(contents, self._store)
            write_text(marker, "")

    def _user(self, contents: Contents) -> User:
        users = [part.user for part in contents.chain]
        accounts: list[SegmentInfo] = [
            self._store.read_info(key)
            for part in contents.chain
            for deb, key in part.debs
            if deb.name == "base-passwd"
        ]
        return resolve_user(users[-1], accounts, users[:-1])

    def _make_image(
        self, contents: Contents, own: Sequence[Layer], parent_digest: str
    ) -> BuiltImage:
        image = contents.own.image
        below, runtime, annotations = self._parent(parent_digest)
        user = ""
        if contents.own.user:
            found = self._user(contents)
            user = f"{found.uid}:{found.gid}"
        venv = contents.venv if contents.has_venv else None
        annotations = {
            "org.opencontainers.image.title": image.name,
            "org.opencontainers.image.base.name": image.parent,
            **annotations,
        }
        if image.recipe.summary:
            annotations["org.opencontainers.image.description"] = image.recipe.summary
        if self._settings.source:
            annotations["org.opencontainers.image.source"] = self._settings.source
        return make_image(
            contents.platform,
            runtime_config(runtime, image, user, venv),
            [*below, *own],
            annotations,
        )

    def _parent(self, digest: str) -> tuple[list[Layer], dict[str, Any], dict[str, str]]:
        """Return the layers and the runtime configuration that a parent hands down."""
        if not digest:
            return [], {}, {}
        layers, runtime = self._layout.read_image(digest)
        return layers, runtime, {"org.opencontainers.image.base.digest": digest}


def _joined_key(keys: Sequence[str]) -> str:
    return key_of("joined", list(keys))


def _copy_result(done: Future[Any], to: Future[Any]) -> None:
    if done.cancelled():
        to.cancel()
    elif error := done.exception():
        to.set_exception(error)
    else:
        to.set_result(done.result())


def _entry_of(file: SourceFile, user: User) -> Entry:
    """Return a file's entry; an owner is `UID[:GID]`, or the name of the image's user."""
    uid = gid = 0
    if file.owner:
        name, _, group = file.owner.partition(":")
        uid = int(name) if name.isdigit() else user.uid
        gid = int(group) if group.isdigit() else (user.gid if group or uid == user.uid else uid)
    if file.link:
        return Entry(file.target, EntryKind.SYMLINK, 0o777, 0, file.link, uid, gid)
    return Entry(file.target, EntryKind.FILE, file.mode, file.size_bytes, "", uid, gid)
