"""An OCI image layout: one folder with the blobs of all images and an index of their names."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.atomic import replacing, write_text
from orchestrator.errors import AssemblyError, disk_error
from orchestrator.model import Platform
from orchestrator.oci.image import (
    INDEX_MEDIA_TYPE,
    MANIFEST_MEDIA_TYPE,
    Blob,
    layers_of,
    make_index,
    runtime_of,
)
from orchestrator.oci.layer import Layer

REF_NAME = "org.opencontainers.image.ref.name"
LOCK = ".lock"
"""The file that keeps writers of the index apart."""

_LAYOUT = json.dumps({"imageLayoutVersion": "1.0.0"})


class Layout:
    """A layout on disk (OCI image specification, image-layout.md); safe for several writers.

    An image of one platform is named by its manifest, one of several platforms by an index.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = f"{folder}/blobs"

    def blob_path(self, digest: str) -> Path:
        """Return where a blob lies, or would lie."""
        return Path(self._blob_text(digest))

    def _blob_text(self, digest: str) -> str:
        """Return where a blob lies as text: paths are slow where there are very many."""
        algorithm, _, hexadecimal = digest.partition(":")
        return f"{self._blobs}/{algorithm}/{hexadecimal}"

    def has_image(self, digest: str) -> bool:
        """Tell whether a manifest, its config and its layers are all there, of the right size."""
        try:
            manifest = self.read_json(digest)
            wanted = [manifest["config"], *manifest["layers"]]
            return all(
                os.stat(self._blob_text(item["digest"])).st_size == item["size"]  # noqa: PTH116
                for item in wanted
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, AssemblyError):
            return False

    def read_json(self, digest: str) -> dict[str, Any]:
        """Read a config, a manifest or an index.

        Raises:
            AssemblyError: It is not there, or is not JSON.
        """
        try:
            with open(self._blob_text(digest), "rb", 0) as file:  # noqa: PTH123 - as above
                value = json.loads(file.read())
        except (OSError, ValueError, RecursionError) as error:
            raise AssemblyError(
                f"the layout has no readable {digest}", hint="build again; what lacks is made anew"
            ) from error
        if not isinstance(value, dict):
            hint = "drop it and make it anew: orch fsck --repair, then orch build"
            raise AssemblyError(f"{digest} in the layout is no JSON object", hint=hint)
        return value

    def read_image(self, digest: str) -> tuple[list[Layer], dict[str, Any]]:
        """Read a manifest: its layers, and the runtime part of its config.

        Raises:
            AssemblyError: The image is not in the layout, or who made it did not make it well.
        """
        manifest = self.read_json(digest)
        try:
            config = self.read_json(manifest["config"]["digest"])
            return layers_of(manifest, config), runtime_of(config)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise AssemblyError(
                f"{digest} in the layout is no image as the OCI specification has it: {error!r}",
                hint="build it again with orch build --force; where it came from a registry, push "
                "it there again with another tool",
            ) from error

    def add_blob(self, blob: Blob) -> None:
        """Keep a config or a manifest.

        Raises:
            OrchError: As for `add_file`.
        """
        path = self.blob_path(blob.digest)
        if not (path.is_file() and path.stat().st_size == len(blob.data)):
            with replacing(path) as file:
                file.write(blob.data)

    def add_file(self, digest: str, source: Path) -> None:
        """Keep a layer: as another name of the same file where the file system allows.

        Raises:
            OrchError: The disk is full, or the folder cannot be written to.
        """
        path = self.blob_path(digest)
        try:
            if path.is_file() and path.stat().st_size == source.stat().st_size:
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
            try:
                _link_or_copy(source, temporary)
                temporary.replace(path)
            finally:  # rename(2) leaves two names of one file both where they are
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise disk_error(error, path) from error

    def name(
        self,
        images: Mapping[str, tuple[Platform, str]],
        annotations: Mapping[str, str],
    ) -> None:
        """Name images, given by manifest digest, all at once; what had these names loses them.

        The other platforms of a name stay. `annotations` go to the index's descriptors: they
        say when and from what commit, which must not reach an image that did not change.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            entries = {entry["annotations"][REF_NAME]: entry for entry in self._entries()}
            for name, (platform, digest) in images.items():
                manifests = self._manifests(entries.get(name))
                manifests[platform.key] = {
                    "mediaType": MANIFEST_MEDIA_TYPE,
                    "digest": digest,
                    "size": self.blob_path(digest).stat().st_size,
                    "platform": {"architecture": platform.architecture, "os": platform.os},
                }
                entries[name] = self._named(name, manifests, annotations)
            self._write_index(entries)

    def unname(self, names: Collection[str]) -> None:
        """Take names off images; their blobs stay."""
        with self._locked():
            entries = {entry["annotations"][REF_NAME]: entry for entry in self._entries()}
            self._write_index({name: entries[name] for name in entries if name not in names})

    def _write_index(self, entries: Mapping[str, dict[str, Any]]) -> None:
        index = {
            "schemaVersion": 2,
            "mediaType": INDEX_MEDIA_TYPE,
            "manifests": [entries[name] for name in sorted(entries)],
        }
        write_text(self.folder / "oci-layout", _LAYOUT)
        write_text(self.folder / "index.json", json.dumps(index, indent=1), sync=True)

    def names(self) -> dict[str, dict[str, str]]:
        """Return each name's manifest digests, by platform."""
        return {
            entry["annotations"][REF_NAME]: {
                key: item["digest"] for key, item in self._manifests(entry).items()
            }
            for entry in self._entries()
        }

    def roots(self) -> dict[str, str]:
        """Return the digest behind each name: a manifest's, or an index's of several platforms."""
        return {entry["annotations"][REF_NAME]: str(entry["digest"]) for entry in self._entries()}

    def _named(
        self, name: str, manifests: Mapping[str, dict[str, Any]], annotations: Mapping[str, str]
    ) -> dict[str, Any]:
        notes = {**annotations, REF_NAME: name}
        if len(manifests) == 1:
            return {**next(iter(manifests.values())), "annotations": notes}
        index = make_index(manifests)
        self.add_blob(index)
        return {**index.descriptor, "annotations": notes}

    def _manifests(self, entry: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
        if entry is None:
            return {}
        try:
            items = [entry]
            if entry["mediaType"] == INDEX_MEDIA_TYPE:
                items = self.read_json(entry["digest"])["manifests"]
            return {
                f"{item['platform']['os']}/{item['platform']['architecture']}": {
                    key: value for key, value in item.items() if key != "annotations"
                }
                for item in items
                if isinstance(item["digest"], str)
            }
        except (AssemblyError, KeyError, TypeError, AttributeError):
            return {}  # it was lost, or damaged: its platforms are named anew as they are built

    def _entries(self) -> list[dict[str, Any]]:
        try:
            index = json.loads((self.folder / "index.json").read_bytes())
            return [entry for entry in index["manifests"] if _is_named(entry)]
        except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
            return []

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _is_named(entry: object) -> bool:
    notes = entry.get("annotations") if isinstance(entry, dict) else None
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("digest"), str)
        and isinstance(notes, dict)
        and isinstance(notes.get(REF_NAME), str)
    )


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
