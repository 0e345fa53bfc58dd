"""The assembler: lays out packages, wheels and files as layers; no daemon, nothing is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from orchestrator.engines.assembler.contents import Contents, Part, contents_of, package_groups
from orchestrator.engines.assembler.deb.accounts import User
from orchestrator.engines.assembler.ground import read_ground
from orchestrator.engines.assembler.layers import (
    fetched_layers,
    files_layer,
    missing_fetches,
    system_layer,
    user_of,
    venv_layer,
)
from orchestrator.engines.assembler.published import Earlier, known_layers, notes_of
from orchestrator.engines.assembler.runtime import runtime_config
from orchestrator.engines.assembler.segments import Joined, SegmentWorks
from orchestrator.engines.assembler.soundness import check_packages, check_tags
from orchestrator.engines.assembler.store import Store
from orchestrator.engines.assembler.targets import check_targets
from orchestrator.engines.assembler.venv import HOME
from orchestrator.errors import FetchError
from orchestrator.graph import Graph
from orchestrator.lockfile import Lock
from orchestrator.model import Settings
from orchestrator.oci.image import BuiltImage, make_image
from orchestrator.oci.layer import Layer
from orchestrator.oci.layout import Layout
from orchestrator.plan import Step
from orchestrator.ports import Made
from orchestrator.resolve.python.offered import Target
from orchestrator.resolve.target import target_of_image
from orchestrator.supply import Artifact


class Assembler:
    """An engine for recipes.

    A layer is a function of its own inputs and of nothing below it: what an ancestor gains
    costs its dependents a manifest. `layer_file` gives a layer of an image in the layout, where
    it may lie elsewhere. Threads may share an assembler.
    """

    def __init__(
        self,
        graph: Graph,
        lock: Lock,
        settings: Settings,
        works: SegmentWorks,
        layout: Layout,
        layer_file: Callable[[str], Path] | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        self._graph = graph
        self._lock = lock
        self._settings = settings
        self._works = works
        self._store = works.store
        self._downloads = works.downloads
        self._layout = layout
        self._layer_file = layer_file or layout.blob_path
        self._earlier = earlier or Earlier()

    def start_fetching(self, steps: Sequence[Step]) -> None:
        """Begin all downloads that steps will need, in their order."""
        for step in steps:
            for artifact in self._missing(self._contents(step)).values():
                self._downloads.start(artifact)

    def missing_bytes(self, steps: Sequence[Step]) -> int:
        """Return the compressed size of the packages that steps need and that are not laid out."""
        missing = [self._missing(self._contents(step)) for step in steps]
        return sum(file.size_bytes for files in missing for file in files.values())

    def absent(self, steps: Sequence[Step]) -> list[str]:
        """Return the names of the files that steps need and only a network could give."""
        return [name for step in steps for name in self._absent(self._contents(step))]

    def stop(self) -> None:
        """Give up downloads that have not ended; steps that need them are cancelled."""
        self._downloads.stop()

    def build(self, step: Step, parents: Mapping[str, str]) -> Made:
        """Assemble an image and put its blobs into the layout, without a name.

        Raises:
            OrchError: An input cannot be had, or does not make a sound image.
        """
        contents = self._contents(step)
        check_tags(contents, self._target(contents))
        check_targets(contents, self._works.materials.files.get(contents.own.image.name, ()))
        self._check_at_hand(contents)
        store = self._store_for(contents)
        user = self._earlier.find_user(contents, store)
        if user is None:
            for part in contents.inherited:
                self._know(step, part, store)
            packages = self._works.join(contents, package_groups(contents.own), store)
        else:
            packages = known_layers(contents, store) or []
        home = self._python_home(contents, next(iter(parents.values()), ""))
        joined = self._own_layers(contents, packages, store, user, home)
        if user is None:
            # What is checked against hearsay is no news for others, and not remembered.
            check_packages(contents, store, remember=store is self._store)
        own = [item.layer for item in joined]
        user = user or user_of(contents, store)
        image = self._make_image(contents, own, user, next(iter(parents.values()), ""))
        for layer in own:
            if (blob := self._store.blob_path(layer.digest)).is_file():
                self._layout.add_file(layer.digest, blob)
        self._layout.add_blob(image.config)
        self._layout.add_blob(image.manifest)
        new = {item.layer.digest for item in joined if item.is_new}
        reused = frozenset(layer.digest for layer in image.layers if layer.digest not in new)
        return Made(image.digest, image.size_bytes, image.unpacked_bytes, image.layers, reused)

    def _contents(self, step: Step) -> Contents:
        return contents_of(self._graph, self._lock, self._settings, step.platform, step.image.name)

    def _store_for(self, contents: Contents) -> Store:
        return self._earlier.store_for(contents, self._store)

    def _missing(self, contents: Contents) -> dict[str, Artifact]:
        """Return the packages that must be laid out; none where an earlier image vouches."""
        store = self._store_for(contents)
        if self._earlier.find_user(contents, store) is not None:
            return {}
        return self._works.missing(contents, store)

    def _absent(self, contents: Contents) -> list[str]:
        fetches = missing_fetches(contents, self._store_for(contents))
        wanted = [*self._missing(contents).values(), *fetches]
        return [file.name for file in wanted if not self._downloads.is_at_hand(file)]

    def _check_at_hand(self, contents: Contents) -> None:
        """Make sure that offline nothing is begun that cannot be ended.

        Raises:
            FetchError: Files are missing; all of them are named.
        """
        if self._downloads.is_offline and (absent := self._absent(contents)):
            raise FetchError(
                f"not on this machine, and --offline forbids fetching it: {', '.join(absent)}",
                hint="run once without --offline",
            )

    def _know(self, step: Step, part: Part, store: Store) -> None:
        """Make sure that it is known what an ancestor holds, though the cache lost it."""
        lost = [
            (what, keys)
            for what, keys in package_groups(part)
            if not all(store.has_info(key) for key in keys)
        ]
        if lost:
            ancestor = contents_of(
                self._graph, self._lock, self._settings, step.platform, part.image.name
            )
            self._works.join(ancestor, lost, store)

    def _python_home(self, contents: Contents, parent_digest: str) -> str:
        """Return the folder of the interpreter; below what is not assembled it is looked for.

        Raises:
            AssemblyError: There is none that the wheels fit.
        """
        if not (contents.begins_venv and contents.stands_on_unknown):
            return HOME
        below, _ = self._parent(parent_digest)
        ground = read_ground(self._layer_file(layer.digest) for layer in below)
        own = contents.own.image
        return ground.home_of(self._target(contents), str(own.file), own.parent)

    def _target(self, contents: Contents) -> Target:
        debs = {part.image.name: [deb for deb, _ in part.debs] for part in contents.chain}
        return target_of_image(self._graph, contents.own.image.name, contents.platform, debs)

    def _own_layers(
        self,
        contents: Contents,
        packages: list[list[Joined]],
        store: Store,
        user: User | None,
        home: str,
    ) -> list[Joined]:
        """Make the layers an image adds, in their order: what changes seldom comes first."""
        own = contents.own
        system, python = (packages[:1], packages[1:]) if own.debs else ([], packages)
        above = [
            *chain.from_iterable(system),
            *system_layer(contents, store),
            *venv_layer(contents, store, home),
            *chain.from_iterable(python),
            *fetched_layers(contents, store, self._downloads),
        ]
        files = self._works.materials.files.get(own.image.name, ())
        return [*above, *files_layer(store, files, user or user_of(contents, store))]

    def _make_image(
        self, contents: Contents, own: Sequence[Layer], user: User, parent_digest: str
    ) -> BuiltImage:
        image = contents.own.image
        below, runtime = self._parent(parent_digest)
        numbers = f"{user.uid}:{user.gid}" if contents.own.user else ""
        venv = contents.venv if contents.has_venv else None
        annotations = {
            "org.opencontainers.image.title": image.name,
            "org.opencontainers.image.description": image.recipe.summary,
            "org.opencontainers.image.source": self._settings.source,
            "org.opencontainers.image.base.name": image.parent,
            "org.opencontainers.image.base.digest": parent_digest,
            **notes_of(contents, user),
        }
        return make_image(
            contents.platform,
            runtime_config(runtime, image, numbers, venv),
            [*below, *own],
            {key: value for key, value in annotations.items() if value},
        )

    def _parent(self, digest: str) -> tuple[list[Layer], dict[str, Any]]:
        """Return the layers and the runtime configuration that a parent hands down."""
        return self._layout.read_image(digest) if digest else ([], {})
