"""What packages hold, kept in a registry beside images, for machines that lack the packages."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from orchestrator import logs
from orchestrator.app.opened import Opened, read_lock
from orchestrator.app.planning import Planned
from orchestrator.engines.assembler.contents import contents_of
from orchestrator.engines.assembler.inventory import (
    inventories_of,
    pack_inventory,
    unpack_inventory,
)
from orchestrator.engines.assembler.published import Earlier, PublishedImage
from orchestrator.engines.assembler.store import Store
from orchestrator.lockfile import Lock
from orchestrator.oci.segment import SegmentInfo
from orchestrator.plan import Step
from orchestrator.publish.crew import Crew
from orchestrator.publish.documents import read_document, write_document
from orchestrator.publish.outgoing import OutgoingImage
from orchestrator.publish.reference import Namespace, Repository
from orchestrator.publish.registry import RefusedError, Registry
from orchestrator.tagging import inventory_tag

MEDIA_TYPE = "application/vnd.orch.inventory.v1+xz"
_REFUSED = "other machines will fetch packages to check them"


@dataclass(frozen=True)
class Inventories:
    """Puts inventories beside images that are pushed; threads may share one.

    A registry that does not take them costs other machines time, and no push: `notes` say so.
    """

    opened: Opened
    registry: Registry
    notes: list[str]
    _turns: dict[str, threading.Lock] = field(default_factory=dict)
    _homes: dict[str, Repository] = field(default_factory=dict)

    @cached_property
    def lock(self) -> Lock:
        """Return the lock, read when something is pushed."""
        return read_lock(self.opened)

    def store(self, image: OutgoingImage) -> int:
        """Store what the packages of an image's own layers hold, where nothing says it yet.

        Returns how many bytes were sent.

        Raises:
            RegistryError: The registry does not answer.
        """
        try:
            return sum(self._store(image, key, keys) for key, keys in self._own(image))
        except RefusedError as error:
            if not any(note.startswith(_REFUSED) for note in self.notes):
                self.notes.append(f"{_REFUSED}: {error.in_a_line}")
            return 0

    def _own(self, image: OutgoingImage) -> Iterator[tuple[str, Sequence[str]]]:
        graph, settings = self.opened.graph, self.opened.workspace.settings
        if graph.images[image.name].build is None:
            for item in image.platforms:
                contents = contents_of(graph, self.lock, settings, item.platform, image.name)
                yield from inventories_of(contents.own).items()

    def _store(self, image: OutgoingImage, layer_key: str, keys: Sequence[str]) -> int:
        tag = inventory_tag(layer_key)
        if self.registry.find_manifest(image.repository, tag) is not None:
            return 0
        data = pack_inventory(Store(self.opened.paths.cache), keys)
        if data is None:
            return 0
        with self._turns.setdefault(layer_key, threading.Lock()):  # images share layers
            home, repository = self._homes.get(layer_key), image.repository
            sent = write_document(self.registry, repository, tag, MEDIA_TYPE, data, home)
            self._homes[layer_key] = repository
        return sent


def ask_inventories(
    planned: Planned,
    steps: Iterable[Step],
    images: Mapping[str, PublishedImage],
    registry: Registry,
    crew: Crew,
    namespace: Namespace,
) -> Earlier:
    """Read what a registry says of packages that steps are checked against and this machine lacks.

    Raises:
        RegistryError: It does not answer.
    """
    wanted = dict(_wanted(planned, steps, Earlier(images)))

    def read(layer_key: str) -> dict[str, SegmentInfo]:
        owner, keys = wanted[layer_key]
        repository, tag = namespace.repository(owner), inventory_tag(layer_key)
        data = read_document(registry, repository, tag, MEDIA_TYPE)
        try:
            return unpack_inventory(data, keys) if data else {}
        except ValueError as error:
            logs.event("inventory.unusable", repository=str(repository), tag=tag, error=str(error))
            return {}

    told = crew.each(read, wanted).raise_first()
    return Earlier(images, {key: info for infos in told.values() for key, info in infos.items()})


def _wanted(
    planned: Planned, steps: Iterable[Step], earlier: Earlier
) -> Iterator[tuple[str, tuple[str, Sequence[str]]]]:
    """Give the keys of layers of which it is to be known what they hold: whose, and of what."""
    opened, store = planned.opened, Store(planned.opened.paths.cache)
    for step in steps:
        contents = contents_of(
            opened.graph,
            planned.lock,
            opened.workspace.settings,
            step.platform,
            step.image.name,
        )
        here = earlier.store_for(contents, store)
        if earlier.find_user(contents, here) is not None:
            continue
        for part in contents.chain:
            for layer_key, keys in inventories_of(part).items():
                is_made = part is contents.own and not here.find_layers(layer_key)
                if not is_made and not all(store.has_info(key) for key in keys):
                    yield layer_key, (part.image.name, keys)
