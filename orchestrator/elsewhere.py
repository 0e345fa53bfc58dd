"""Layers of images in the layout whose bytes lie in a registry, and not on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchestrator.atomic import write_text
from orchestrator.errors import AssemblyError
from orchestrator.oci.layout import Layout


class Elsewhere:
    """Remembers of each layer a repository, `HOST/NAME`, that had it; safe for several writers.

    An image's manifest and config are in the layout always, so that others can stand on it.
    """

    def __init__(self, folder: Path, layout: Layout) -> None:
        self._folder = folder
        self._layout = layout

    def note(self, digests: Iterable[str], repository: str) -> None:
        """Remember where layers are that this machine lacks."""
        for digest in digests:
            if not self._layout.blob_path(digest).is_file():
                write_text(self._path(digest), repository)

    def forget(self, digests: Iterable[str]) -> None:
        """Forget where layers are: they are not there any more."""
        for digest in digests:
            self._path(digest).unlink(missing_ok=True)

    def place(self, digest: str) -> str:
        """Return the repository that has a layer; nothing where none is known."""
        try:
            return self._path(digest).read_text("utf-8")
        except FileNotFoundError:
            return ""

    def covers(self, image: str) -> bool:
        """Tell whether all of an image is in the layout, or known to be in a registry."""
        return self._layout.has_image(image) or bool(self.lacking(image))

    def lacking(self, image: str) -> dict[str, int]:
        """Return the digests and sizes of an image's layers that are elsewhere only.

        Nothing where the layout has the whole image, and where not even a registry has.
        """
        try:
            manifest = self._layout.read_json(image)
            self._layout.read_json(manifest["config"]["digest"])
            rows = {item["digest"]: int(item["size"]) for item in manifest["layers"]}
        except (AssemblyError, ValueError, KeyError, TypeError):
            return {}
        lacking = {digest: size for digest, size in rows.items() if not self._is_here(digest, size)}
        return lacking if all(self.place(digest) for digest in lacking) else {}

    def _is_here(self, digest: str, size_bytes: int) -> bool:
        try:
            return self._layout.blob_path(digest).stat().st_size == size_bytes
        except OSError:
            return False

    def _path(self, digest: str) -> Path:
        return self._folder / digest.replace(":", "-")
