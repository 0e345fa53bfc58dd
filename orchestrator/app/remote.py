"""Layers that lie in a registry only, brought here when something needs their bytes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.app.opened import Opened
from orchestrator.elsewhere import Elsewhere
from orchestrator.errors import OrchError
from orchestrator.oci.layout import Layout

_JOBS = 8


@dataclass(frozen=True, slots=True)
class RemoteLayers:
    """The layers of a workspace's layout, whole or not; threads may share one."""

    opened: Opened

    @property
    def layout(self) -> Layout:
        """Return the layout."""
        return Layout(self.opened.paths.layout)

    @property
    def elsewhere(self) -> Elsewhere:
        """Return what is known of layers that the layout lacks."""
        return Elsewhere(self.opened.paths.elsewhere, self.layout)

    def complete(self, image: str) -> None:
        """Bring the layers that an image lacks into the layout, verified.

        Raises:
            OrchError: One cannot be fetched, or is not what its digest says.
        """
        self._fetch(self.elsewhere.lacking(image))

    def path(self, digest: str) -> Path:
        """Return the file of a blob, which is brought here if need be.

        Raises:
            OrchError: Neither this machine nor a registry is known to have it.
        """
        path = self.layout.blob_path(digest)
        if not path.is_file():
            self._fetch([digest])
        return path

    def _fetch(self, digests: Iterable[str]) -> None:
        places = {digest: self.elsewhere.place(digest) for digest in digests}
        if homeless := [digest for digest, place in places.items() if not place]:
            raise OrchError(
                f"nothing has the layer {homeless[0]}",
                hint="build its image again: orch build --force NAME",
            )
        for place, group in itertools.groupby(sorted(places, key=places.__getitem__), places.get):
            self._fetch_from(str(place), list(group))

    def _fetch_from(self, place: str, digests: list[str]) -> None:
        from orchestrator.app.registries import connected  # noqa: PLC0415 - rarely needed
        from orchestrator.publish.crew import Crew  # noqa: PLC0415 - likewise
        from orchestrator.publish.reference import Namespace, Reference  # noqa: PLC0415 - likewise
        from orchestrator.publish.registry import BlobInfo  # noqa: PLC0415 - likewise

        repository = Reference.parse(place).repository
        layout = self.layout
        with connected(self.opened, Namespace(repository.host), "pull") as registry:
            crew = Crew(_JOBS, registry.wire.stop)
            try:
                crew.each(
                    lambda digest: registry.registry.fetch_blob(
                        repository, BlobInfo(digest, 0), layout.blob_path(digest)
                    ),
                    digests,
                ).raise_first()
            finally:
                crew.close()
