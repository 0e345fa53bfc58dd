"""External images that recipes stand on: brought into the layout, by the digest they have."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from typing import Any

from orchestrator.app.opened import Opened
from orchestrator.app.registries import reading
from orchestrator.errors import AssemblyError, FetchError
from orchestrator.externals import external_parent, pinned, pins_of
from orchestrator.lockfile import Lock
from orchestrator.model import Image, Platform
from orchestrator.oci.image import INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, Blob
from orchestrator.oci.layout import Layout
from orchestrator.plan import Step
from orchestrator.publish.crew import Crew
from orchestrator.publish.http_registry import HttpRegistry
from orchestrator.publish.pull import fetch_image, find_image
from orchestrator.publish.reference import Reference, Repository
from orchestrator.publish.registry import Manifest
from orchestrator.publish.wire import Wire

_JOBS = 4


class BaseImages:
    """Fetches external images, each once; what the layout has is not asked for. Threads share one.

    `resources` closes the connections.
    """

    def __init__(
        self, opened: Opened, lock: Lock, layout: Layout, resources: ExitStack, *, offline: bool
    ) -> None:
        self._opened = opened
        self._lock = lock
        self._layout = layout
        self._resources = resources
        self._is_offline = offline
        self._alone = threading.Lock()
        self._places: dict[str, tuple[Wire, HttpRegistry]] = {}

    def stop(self) -> None:
        """Give up what is being fetched."""
        for wire, _ in list(self._places.values()):
            wire.stop()

    def parents_of(self, step: Step) -> dict[str, str]:
        """Return what a recipe stands on, by its reference, if that is an external image.

        Raises:
            OrchError: It cannot be had, as for `to_layout`.
        """
        if not external_parent(self._opened.graph, step.image.name):
            return {}
        return {step.image.parent: self.to_layout(step.image, step.platform)}

    def to_layout(self, image: Image, platform: Platform) -> str:
        """Return the digest of the manifest of what a recipe stands on, all of it in the layout.

        Raises:
            RegistryError: It cannot be fetched, or is not there for the platform.
            FetchError: It is not there, and nothing may be fetched.
            AssemblyError: It is for another platform, or its layers are not gzip.
        """
        pins = pins_of(self._opened.graph, self._lock.externals, image.name)
        reference = Reference.parse(pinned(image.parent, pins.get(image.parent, "")))
        with self._alone:
            manifests = _Manifests(self, reference)
            found = find_image(manifests, reference, platform)
            digest = found.manifest.digest
            if not self._layout.has_image(digest):
                wire, registry = self.place(reference)
                crew = Crew(_JOBS, wire.stop)
                try:
                    fetch_image(registry, crew, found, self._layout.blob_path)
                finally:
                    crew.close()
        self._check(reference, digest, platform)
        return digest

    def kept(self, digest: str) -> Manifest | None:
        """Return a manifest or an index that the layout has."""
        try:
            data = self._layout.blob_path(digest).read_bytes()
        except OSError:
            return None
        manifest = Manifest(_media_type(data), data)
        return manifest if manifest.digest == digest else None

    def keep(self, manifest: Manifest) -> None:
        """Let the layout have a manifest or an index."""
        self._layout.add_blob(Blob(manifest.media_type, manifest.data))

    def place(self, reference: Reference) -> tuple[Wire, HttpRegistry]:
        """Return the registry of a reference, connected to when it is first asked for.

        Raises:
            FetchError: Nothing may be fetched.
        """
        if self._is_offline:
            raise FetchError(
                f"not on this machine, and --offline forbids fetching it: {reference}",
                hint="run once without --offline",
            )
        host = reference.repository.host
        if host not in self._places:
            place = self._resources.enter_context(reading(self._opened, host))
            self._places[host] = place
        return self._places[host]

    def _check(self, reference: Reference, digest: str, platform: Platform) -> None:
        manifest = self._layout.read_json(digest)
        config = self._layout.read_json(manifest["config"]["digest"])
        made_for = f"{config.get('os')}/{config.get('architecture')}"
        if made_for != platform.key:
            raise AssemblyError(
                f"{reference} is for {made_for}, not for {platform}",
                hint=f"name one for {platform} in from, or take that out of platforms",
            )
        others = {_form(item) for item in manifest["layers"]} - {"gzip"}
        if others:
            raise AssemblyError(
                f"{reference} has layers that are not gzip: {', '.join(sorted(others))}",
                hint="recipes cannot stand on it; push it with gzip layers, or stand a "
                "Dockerfile on it",
            )


class _Manifests:
    """Manifests of one repository: the layout's, else the registry's, kept from then on."""

    def __init__(self, images: BaseImages, reference: Reference) -> None:
        self._images = images
        self._reference = reference

    def read_manifest(self, repository: Repository, pointer: str) -> Manifest:
        manifest = self._images.kept(pointer)
        if manifest is None:
            _, registry = self._images.place(self._reference)
            manifest = registry.read_manifest(repository, pointer)
            self._images.keep(manifest)
        return manifest


def _media_type(data: bytes) -> str:
    try:
        is_index = "manifests" in json.loads(data)
    except (ValueError, TypeError):
        is_index = False
    return INDEX_MEDIA_TYPE if is_index else MANIFEST_MEDIA_TYPE


def _form(layer: dict[str, Any]) -> str:
    """Return how a layer is compressed, by its media type; Docker's name theirs otherwise."""
    media_type = str(layer.get("mediaType", ""))
    if media_type.endswith(("+gzip", ".diff.tar.gzip")) and not layer.get("urls"):
        return "gzip"
    return media_type or "unknown"
