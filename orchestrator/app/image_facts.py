"""What images of the layout or of a registry consist of, read off their layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.app.opened import Opened
from orchestrator.app.pushing import JOBS
from orchestrator.app.registries import reading
from orchestrator.app.remote import RemoteLayers
from orchestrator.attest.bill import PackageKind
from orchestrator.attest.found import LayerReader
from orchestrator.differences.images import ImageFacts, flat_config
from orchestrator.differences.layers import FileReader
from orchestrator.differences.packages import Held
from orchestrator.differences.values import Kind
from orchestrator.errors import AssemblyError, WorkspaceError
from orchestrator.model import Platform
from orchestrator.oci.layout import Layout
from orchestrator.publish.crew import Crew
from orchestrator.publish.pull import fetch_image, find_image
from orchestrator.publish.reference import Namespace, Reference
from orchestrator.publish.untrusted import read_object

_ANEW = "build its image again with orch build --force, or push it again from where it is whole"
_KINDS = {PackageKind.DEBIAN: Kind.DEBIAN, PackageKind.PYTHON: Kind.PYTHON}


@dataclass(slots=True)
class FactReader:
    """Reads images, each layer once; what is fetched for that goes to `scratch`."""

    opened: Opened
    platform: Platform
    scratch: Path
    _files: FileReader = field(default_factory=FileReader)
    _packages: LayerReader = field(default_factory=LayerReader)

    def read(self, text: str) -> ImageFacts:
        """Read the image that a name or digest of the layout, or a reference, means.

        Raises:
            WorkspaceError: It means none.
            OrchError: A layer cannot be read, or a registry does not give it.
        """
        layout = Layout(self.opened.paths.layout)
        built = layout.names().get(text, {})
        digest = built.get(self.platform.key, text if layout.has_image(text) else "")
        if built and not digest:
            raise WorkspaceError(
                f"{text} is not built for {self.platform}",
                hint=f"run: orch build --platform {self.platform} {text}",
            )
        if digest:
            return self._facts(RemoteLayers(self.opened).path, digest)
        return self._published(self._reference(text))

    def _reference(self, text: str) -> Reference:
        """Return a reference, in which an image of the workspace may go by its name alone."""
        name = text.partition("@")[0].partition(":")[0]
        settings, images = self.opened.workspace.settings, self.opened.workspace.images
        if name in images and name != text and settings.registry:
            place = Namespace.parse(settings.registry).repository(name)
            return Reference.parse(f"{place}{text.removeprefix(name)}")
        if name == text or text.startswith("sha256:"):
            raise WorkspaceError(
                f"{text!r} is no revision of git's, and no image that was built here",
                hint="write HOST/NAME:TAG or HOST/NAME@sha256:... for one of a registry",
            )
        return Reference.parse(text)

    def _published(self, reference: Reference) -> ImageFacts:
        """Read an image of a registry; layers that the layout has are not fetched."""
        layout = Layout(self.opened.paths.layout)

        def path(digest: str) -> Path:
            kept = layout.blob_path(digest)
            return kept if kept.is_file() else self.scratch / digest.replace(":", "-")

        with reading(self.opened, reference.repository.host) as (wire, registry):
            crew = Crew(JOBS, wire.stop)
            try:
                image = find_image(registry, reference, self.platform)
                fetch_image(registry, crew, image, path)
            finally:
                crew.close()
        path(image.manifest.digest).write_bytes(image.manifest.data)
        return self._facts(path, image.manifest.digest)

    def _facts(self, path: Callable[[str], Path], digest: str) -> ImageFacts:
        manifest = _read_json(path(digest))
        config = _read_config(path(manifest["config"]["digest"]))
        layers = [path(layer["digest"]) for layer in manifest["layers"]]
        files = self._files.read(layers)
        packages: dict[Kind, list[Held]] = {kind: [] for kind in Kind}
        for found in self._packages.find(layers).packages:
            packages[_KINDS[found.kind]].append(Held(found.name, found.version))
        sent = [manifest["config"]["size"], *(layer["size"] for layer in manifest["layers"])]
        return ImageFacts(
            {kind: tuple(held) for kind, held in packages.items()},
            {name: file.what for name, file in files.items()},
            config,
            path(digest).stat().st_size + sum(sent),
            sum(file.size_bytes for file in files.values()),
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return read_object(path.read_bytes())
    except ValueError as error:
        raise AssemblyError(f"the blob {path.name} is damaged: {error}", hint=_ANEW) from error


def _read_config(path: Path) -> dict[str, str]:
    try:
        return flat_config(_read_json(path).get("config") or {})
    except (TypeError, AttributeError) as error:
        raise AssemblyError(f"the blob {path.name} is no image's config", hint=_ANEW) from error
